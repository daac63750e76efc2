#include "sim/replica.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <variant>

#include "core/assert.h"
#include "sim/text.h"

namespace spillway::sim {

using core::block_tokens;

namespace {

constexpr core::NodeId router{1};
constexpr core::NodeId node{2};
constexpr core::Incarnation owner{1};
/// Deadlines that say nothing but an order begin here, behind all that happens.
constexpr core::Instant far_away{2 * Replica::time_max};
constexpr core::TokenId any_token = 0;

constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

core::BlockName shared_name(const core::BlockName& parent, std::uint64_t id) {
  return {{mix(parent.hi ^ mix(id)) | 1U, mix(parent.lo + id)}};
}

/// Even in its upper half, where names of shared blocks are odd.
core::BlockName own_name(std::size_t request, std::size_t block) {
  return {{(std::uint64_t{request} + 1) << 1U, block}};
}

core::RequestId id_of(std::size_t index) {
  return {{1, index}};
}

}  // namespace

sched::BatcherLimits vllm_limits(const EngineSettings& settings, std::size_t requests) {
  sched::BatcherLimits limits;
  limits.step_tokens_max = settings.step_tokens_max;
  limits.sequences_max = settings.sequences_max;
  limits.queue_max = static_cast<std::uint32_t>(requests);
  limits.reserve_blocks = 0;
  limits.admission = sched::AdmissionPolicy::prompt;
  limits.ageing = {};  // first come, first served, and who was preempted before all who never ran
  return limits;
}

Replica::Replica(const EngineSettings& settings, const CostModel& costs) : settings_(settings), costs_(costs) {}

core::Result<ReplicaOutcome> Replica::run(const ServedWorkload& workload, std::span<const core::Duration> arrivals) {
  SPILLWAY_ASSERT(arrivals.size() == workload.items.size());
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const auto& item = workload.items[i];
    if (arrivals[i] < core::Duration{0} || arrivals[i] > time_max)
      return wrong_at(workload.path, item.line, "arrives before the first request or decades after it: want one run");
    // The last token is never fed back, so its row is not needed.
    const auto blocks = (item.input_tokens + item.output_tokens - 1 + block_tokens - 1) / block_tokens;
    if (blocks > settings_.kv_blocks)
      return wrong_at(workload.path, item.line,
                      std::to_string(item.input_tokens) + " + " + std::to_string(item.output_tokens) + " tokens need " +
                          std::to_string(blocks) + " KV blocks: want at most " + std::to_string(settings_.kv_blocks));
  }
  prepare(workload, arrivals);
  for (;;) {
    const auto more = step();
    if (!more) return tl::make_unexpected(more.error());
    if (!*more) break;
  }
  SPILLWAY_ASSERT(finished_ == streams_.size() && batcher_->idle());
  outcome_.preemptions = batcher_->counters().preemptions;
  outcome_.prefix_hit_tokens = batcher_->counters().prefix_hit_tokens;
  outcome_.end = now_.time_since_epoch();
  return outcome_;
}

void Replica::prepare(const ServedWorkload& workload, std::span<const core::Duration> arrivals) {
  const std::size_t count = workload.items.size();
  core::ReplicaInfo info;
  info.blocks = settings_.kv_blocks;
  batcher_ = std::make_unique<sched::BatcherCore>(core::ReplicaRef{node, 0}, core::Incarnation{1}, info, vllm_limits(settings_, count));
  actions_.clear();
  outcome_ = {};
  outcome_.requests.resize(count);
  streams_.assign(count, {});
  arrived_ = finished_ = 0;
  now_ = {};
  arrivals_.clear();
  for (const auto arrival : arrivals) arrivals_.emplace_back(arrival);
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(), [this](std::size_t a, std::size_t b) { return arrivals_[a] < arrivals_[b]; });
  for (std::size_t place = 0; place < count; ++place) streams_[order_[place]].place = place;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& item = workload.items[i];
    auto request = std::make_shared<core::Request>();
    request->key = {core::TenantId{1}, id_of(i)};
    request->prompt = std::vector<core::TokenId>(item.input_tokens, any_token);
    request->tokens_max = item.output_tokens;
    request->ignore_eos = true;
    request->service_class = core::ServiceClass::live;
    auto& s = streams_[i];
    s.request = std::move(request);
    if (!settings_.prefix_cache) continue;
    core::BlockName parent;
    for (const auto id : item.hash_ids) s.names.push_back(parent = shared_name(parent, id));
    for (auto b = s.names.size(); b < item.input_tokens / block_tokens; ++b) s.names.push_back(own_name(i, b));
  }
}

core::Run Replica::run_of(std::size_t index, core::Instant now) const {
  const auto& s = streams_[index];
  core::Run run;
  run.key = s.request->key;
  run.epoch = {owner, s.epoch};
  run.owner = router;
  run.replica = {node, 0};
  run.request = s.request;
  run.deadline_left = far_away + core::Duration(static_cast<std::int64_t>(s.place)) - now;
  auto& choice = run.choices.emplace_back();
  choice.tokens.assign(s.generated, any_token);
  const auto in_prompt = std::min<std::size_t>(s.names.size(), s.request->prompt.size() / block_tokens);
  const auto border = s.names.begin() + static_cast<std::ptrdiff_t>(in_prompt);
  run.prompt_names.assign(s.names.begin(), border);
  choice.names.assign(border, s.names.end());
  return run;
}

void Replica::submit(std::size_t index, core::Instant now) {
  ++streams_[index].epoch;
  batcher_->on(run_of(index, now), now, actions_);
  perform(now);
}

void Replica::arrive_before(core::Instant end) {
  while (arrived_ < order_.size() && arrivals_[order_[arrived_]] < end) {
    const auto index = order_[arrived_++];
    submit(index, arrivals_[index]);
  }
}

core::Result<bool> Replica::step() {
  arrive_before(now_ + core::Duration(1));
  const auto plan = batcher_->plan_step(now_, actions_);
  perform(now_);
  if (!plan) {
    if (arrived_ == order_.size()) return false;
    now_ = arrivals_[order_[arrived_]];
    return true;
  }
  core::StepResult result;
  result.step = plan->step;
  if (!plan->items.empty()) {
    const auto shape = shape_of(*plan);
    const auto elapsed = costs_.time_of(shape);
    if (!elapsed) return tl::make_unexpected(elapsed.error());
    if (++outcome_.steps > steps_max || now_.time_since_epoch() > time_max)
      return core::fail(core::Errc::bad_argument, "more than " + std::to_string(steps_max) + " steps or 36 years: want a shorter workload");
    result.rows = static_cast<std::uint32_t>(shape.rows);
    result.elapsed = *elapsed;
    for (const auto& item : plan->items) {
      for (const auto& target : item.samples) {
        core::TokenOut out;
        out.token = any_token;
        result.sampled.push_back({target.sequence, target.index, out});
      }
    }
    arrive_before(now_ + *elapsed);
    now_ += *elapsed;
  }
  batcher_->on(result, now_, actions_);
  perform(now_);
  return true;
}

void Replica::perform(core::Instant now) {
  // What is received may answer, and the answer adds actions of its own.
  auto actions = std::exchange(actions_, {});
  for (const auto& action : actions) {
    const auto* post = std::get_if<sched::BatcherCore::Post>(&action);
    if (post == nullptr) continue;
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { receive(message, now); }) receive(message, now);
        },
        *post->message);
  }
}

void Replica::receive(const core::Tokens& message, core::Instant now) {
  for (const auto& run : message.runs) {
    const auto index = static_cast<std::size_t>(run.key.request.lo);
    auto& s = streams_[index];
    SPILLWAY_ASSERT(run.epoch.counter == s.epoch && run.first_index == s.generated && run.tokens.size() == 1);
    auto& seen = outcome_.requests[index];
    if (s.generated++ == 0) seen.first = now.time_since_epoch();
    if (run.tokens[0].finish != core::FinishReason::none) {
      SPILLWAY_ASSERT(s.generated == s.request->tokens_max);
      seen.last = now.time_since_epoch();
      ++finished_;
    } else if (settings_.prefix_cache && (s.request->prompt.size() + s.generated) % block_tokens == 0) {
      name_block(index, now);
    }
  }
}

void Replica::name_block(std::size_t index, core::Instant now) {
  auto& s = streams_[index];
  core::BlockNames message;
  message.key = s.request->key;
  message.epoch = {owner, s.epoch};
  message.first_block = static_cast<std::uint32_t>(s.names.size());
  s.names.push_back(own_name(index, s.names.size()));
  message.names.push_back(s.names.back());
  batcher_->on(message, now, actions_);
}

void Replica::receive(const core::RunReturned& message, core::Instant now) {
  submit(static_cast<std::size_t>(message.key.request.lo), now);
}

void Replica::receive(const core::RunRefused& message, core::Instant) {
  // Sizes were looked at before the start, and the queue holds all requests.
  SPILLWAY_ASSERT(message.code == core::Errc::ok);
}

}  // namespace spillway::sim
