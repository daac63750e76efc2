#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "sched/batcher_core.h"
#include "tests/sched/fake_worker.h"

/// One batcher and its fake worker, moved by hand: for tests that show one rule each.
namespace spillway::sched::test {

using namespace std::chrono_literals;

struct RunOptions {
  std::uint32_t prompt = 20;
  std::uint32_t choices = 1;
  std::uint32_t tokens_max = 8;
  core::ServiceClass service_class = core::ServiceClass::interactive;
  core::Duration deadline{0};
  std::uint32_t family = 0;  ///< prompts of one family are prefixes of each other
  std::uint64_t seed = 1;
  bool names = true;
  bool ignore_eos = true;
  std::uint64_t owner = 50;
  std::uint64_t owner_incarnation = 500;
};

inline core::Run make_run(std::uint64_t id, std::uint64_t counter = 1, const RunOptions& o = {}) {
  auto request = std::make_shared<core::Request>();
  request->key = {{1}, {{0, id}}};
  std::vector<core::TokenId> prompt;
  for (std::uint32_t p = 0; p < o.prompt; ++p) prompt.push_back(static_cast<core::TokenId>(mix(o.family + 1000, p) % vocabulary));
  request->prompt = std::move(prompt);
  request->choices = o.choices;
  request->tokens_max = o.tokens_max;
  request->sampling.seed = o.seed;
  request->ignore_eos = o.ignore_eos;
  request->service_class = o.service_class;
  core::Run run;
  run.key = request->key;
  run.epoch = {{o.owner_incarnation}, counter};
  run.owner = {o.owner};
  run.replica = {{9}, 0};
  run.choices.resize(o.choices);
  if (o.names) run.prompt_names = names_of(*request, {});
  run.deadline_left = o.deadline;
  run.request = std::move(request);
  return run;
}

/// The same request as `run`, with what its first `count` tokens (of each choice) are, under another epoch.
inline core::Run continued(const core::Run& run, std::uint64_t counter, std::uint32_t count, bool names = true) {
  auto result = run;
  result.epoch.counter = counter;
  for (std::uint32_t c = 0; c < run.choices.size(); ++c) {
    const auto all = undisturbed(*run.request, c);
    auto& choice = result.choices[c];
    choice = {};
    for (std::uint32_t i = 0; i < count; ++i) choice.tokens.push_back(all.at(i).token);
    if (!names) continue;
    const auto of_all = names_of(*run.request, choice.tokens);
    choice.names.assign(of_all.begin() + static_cast<std::ptrdiff_t>(run.request->prompt.size() / core::block_tokens), of_all.end());
  }
  return result;
}

struct Bench {
  explicit Bench(const BatcherLimits& limits = {}, std::uint32_t blocks = 64) : Bench(limits, make_info(blocks)) {}
  Bench(const BatcherLimits& limits, const core::ReplicaInfo& replica_info)
      : info(replica_info), core({{9}, 0}, {77}, info, limits), worker(info.blocks, info.kv_groups) {}

  static core::ReplicaInfo make_info(std::uint32_t blocks) {
    core::ReplicaInfo info;
    info.model = {5};
    info.model_name = "tiny";
    info.vocabulary = vocabulary;
    info.context_max = 1024;
    info.blocks = blocks;
    return info;
  }

  template <class Event>
  void give(const Event& event) {
    core.on(event, now, out);
    core.check();
  }
  std::optional<core::StepPlan> plan() {
    auto result = core.plan_step(now, out);
    core.check();
    return result;
  }
  void finish(const core::StepPlan& step) { give(worker.run(step)); }
  /// One whole step. False: there was none to make.
  bool step() {
    const auto step = plan();
    if (step) finish(*step);
    return step.has_value();
  }
  void run_dry() {
    for (int i = 0; step(); ++i) BOOST_REQUIRE(i < 10000);
  }

  /// Messages of one type posted so far.
  template <class T>
  std::vector<T> posted() const {
    std::vector<T> result;
    for (const auto& action : out) {
      const auto* post = std::get_if<BatcherCore::Post>(&action);
      const auto* message = post == nullptr ? nullptr : std::get_if<T>(post->message.get());
      if (message != nullptr) result.push_back(*message);
    }
    return result;
  }
  /// Events of one type told to the cache-manager so far.
  template <class T>
  std::vector<T> told() const {
    std::vector<T> result;
    for (const auto& action : out) {
      const auto* local = std::get_if<BatcherCore::Local>(&action);
      const auto* event = local == nullptr ? nullptr : std::get_if<T>(&local->event);
      if (event != nullptr) result.push_back(*event);
    }
    return result;
  }
  /// Tokens of a choice as its owner heard them, checked to be in order.
  std::vector<core::TokenOut> heard(const core::Run& run, std::uint32_t choice = 0) const {
    std::vector<core::TokenOut> result;
    for (const auto& tokens : posted<core::Tokens>()) {
      for (const auto& part : tokens.runs) {
        if (part.key != run.key || part.choice != choice) continue;
        if (result.empty()) first_index = part.first_index;
        BOOST_REQUIRE(part.first_index == first_index + result.size());
        result.insert(result.end(), part.tokens.begin(), part.tokens.end());
      }
    }
    return result;
  }
  std::vector<core::BlockName> added_names() const {
    std::vector<core::BlockName> result;
    for (const auto& action : out) {
      if (const auto* changed = std::get_if<BatcherCore::NamesChanged>(&action))
        result.insert(result.end(), changed->added.begin(), changed->added.end());
    }
    return result;
  }

  core::ReplicaInfo info;
  BatcherCore core;
  FakeWorker worker;
  Instant now{10s};
  BatcherCore::Actions out;
  mutable std::size_t first_index = 0;
};

}  // namespace spillway::sched::test
