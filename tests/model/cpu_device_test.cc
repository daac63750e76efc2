// A stream's tokens and log-probabilities are the same bits however it was computed.

#include "model/cpu_device.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/drive.h"
#include "tests/model/shared_data.h"
#include "tests/model/tiny_model.h"

namespace {

using namespace spillway;
using kernels::Isa;
using model::test::drive;
using model::test::Drive;

std::vector<core::TokenId> prompt_of(std::size_t n, std::uint32_t salt) {
  std::vector<core::TokenId> tokens(n);
  for (std::size_t i = 0; i < n; ++i) tokens[i] = static_cast<core::TokenId>((i * i * 5 + i * 13 + salt * 17 + 3) % 270);
  return tokens;
}

std::shared_ptr<core::Request> make_request(std::size_t prompt, std::uint32_t tokens_max, std::uint32_t salt, float temperature = 0.0F) {
  auto request = model::test::make_request(prompt_of(prompt, salt), tokens_max);
  request->logprobs = 5;
  request->ignore_eos = true;
  request->sampling.temperature = temperature;
  request->sampling.seed = 77 + salt;
  return request;
}

/// The same with every sampler and every rule on the logits.
std::shared_ptr<core::Request> with_every_sampler(std::shared_ptr<core::Request> request) {
  auto& s = request->sampling;
  s.temperature = 0.9F;
  s.top_k = 60;
  s.top_p = 0.95F;
  s.min_p = 0.001F;
  s.typical_p = 0.9F;
  s.repetition_penalty = 1.2F;
  s.presence_penalty = 0.3F;
  s.frequency_penalty = 0.2F;
  s.tokens_min = 10;
  s.logit_bias = {{5, 1.5F}, {100, -2.0F}};
  s.dry = {0.8F, 1.75F, 1, 64, {"\n", "*"}};
  return request;
}

std::shared_ptr<core::Request> with_grammar(std::shared_ptr<core::Request> request) {
  request->grammar = {core::GrammarKind::gbnf, "root ::= line+\nline ::= [a-z \u00e9]{1,6} (\"(\" line \")\")? \"\\n\""};
  return request;
}

std::unique_ptr<model::CpuDevice> make_device(unsigned threads, std::optional<Isa> isa = {},
                                              core::PageFormat format = core::PageFormat::raw16) {
  static const std::string path = model::test::write_tiny_model({});
  auto device =
      model::CpuDevice::make({.path = path, .page_format = format, .blocks = 256, .threads = threads, .isa = isa, .step_rows_max = 2048});
  BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
  return std::move(*device);
}

/// Others that keep the device busy in the same steps: prompts of many lengths and endless answers.
class Neighbours {
 public:
  explicit Neighbours(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t prompt = 1 + i * 11 % 40;
      neighbours_.push_back({core::SequenceId{100 + i}, make_request(prompt, 1000, i + 5, 1.0F), {}, 0, {}});
      for (core::BlockId b = 0; b < 4; ++b) neighbours_.back().blocks.push_back(128 + 4 * i + b);
    }
  }

  /// Adds an item of each before (even) or behind (odd) those in the plan.
  void join(core::StepPlan& plan) {
    for (std::size_t i = 0; i < neighbours_.size(); ++i) {
      auto& n = neighbours_[i];
      if (n.tokens.empty()) {
        n.tokens = n.request->prompt.vector();
        plan.opens.push_back({n.id, n.request, 0, {}});
      }
      if (n.tokens.size() >= 64) n.tokens.resize(n.request->prompt.size()), n.from = 0;  // from the beginning
      const auto index = static_cast<std::uint32_t>(n.tokens.size() - n.request->prompt.size());
      const core::StepItem item{n.id, n.from, {n.tokens.begin() + n.from, n.tokens.end()}, n.blocks, {{n.id, index}}, {}};
      plan.items.insert(i % 2 == 0 ? plan.items.begin() : plan.items.end(), item);
      n.from = static_cast<std::uint32_t>(n.tokens.size());
    }
  }

  /// Takes what was drawn for the neighbours; the rest stays.
  void take(std::vector<core::SampledToken>& sampled) {
    std::erase_if(sampled, [&](const core::SampledToken& token) {
      for (auto& n : neighbours_)
        if (n.id == token.sequence) {
          n.tokens.push_back(token.out.token);
          return true;
        }
      return false;
    });
  }

 private:
  struct Neighbour {
    core::SequenceId id;
    std::shared_ptr<core::Request> request;
    std::vector<core::TokenId> tokens;
    std::uint32_t from = 0;
    std::vector<core::BlockId> blocks;
  };
  std::vector<Neighbour> neighbours_;
};

/// The device with neighbours in every step.
class Crowded : public model::Device {
 public:
  Crowded(model::Device& device, std::uint32_t neighbours) : device_{device}, neighbours_{neighbours} {}
  const core::ReplicaInfo& info() const override { return device_.info(); }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override {
    auto crowded = plan;
    if (!plan.items.empty()) neighbours_.join(crowded);
    auto result = device_.execute(crowded);
    if (result) neighbours_.take(result->sampled);
    return result;
  }
  void read_rows(core::BlockId block, std::uint32_t first, std::uint32_t rows, core::MutableBytes out) override {
    device_.read_rows(block, first, rows, out);
  }
  void write_rows(core::BlockId block, std::uint32_t first, std::uint32_t rows, core::Bytes in) override {
    device_.write_rows(block, first, rows, in);
  }

 private:
  model::Device& device_;
  Neighbours neighbours_;
};

/// Carries rows [0, rows) from one device's blocks to another's.
void carry(model::Device& from, const Drive& from_how, model::Device& to, const Drive& to_how, std::uint32_t rows) {
  const auto source = model::test::block_table(rows, from_how);
  const auto target = model::test::block_table(rows, to_how);
  std::vector<std::byte> bytes;
  for (std::uint32_t done = 0; done < rows; done += 16) {
    // In two runs, as a move does: what was there first, then the rows made meanwhile.
    const std::uint32_t n = std::min(16U, rows - done);
    for (const auto& [first, count] : {std::pair{0U, n / 2}, std::pair{n / 2, n - n / 2}}) {
      bytes.resize(count * from.info().row_bytes);
      from.read_rows(source[done / 16], first, count, bytes);
      to.write_rows(target[done / 16], first, count, bytes);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cpu_device)

BOOST_AUTO_TEST_CASE(same_bits_by_every_road) {
  constexpr std::uint32_t prompt = 300;  // two segments of attention
  const auto request = make_request(prompt, 14, 1);
  const auto sampled_request = make_request(prompt, 14, 2, 0.9F);
  const auto want = drive(*make_device(1, Isa::scalar), request, {});
  const auto want_sampled = drive(*make_device(1, Isa::scalar), sampled_request, {});
  BOOST_REQUIRE(want.size() == 14U);
  BOOST_TEST((model::test::tokens_of(want) != model::test::tokens_of(want_sampled)));
  const auto ruled_request = with_grammar(with_every_sampler(make_request(prompt, 14, 3)));
  const auto want_ruled = drive(*make_device(1, Isa::scalar), ruled_request, {});
  BOOST_REQUIRE(want_ruled.size() == 14U);
  kernels::reset_kernel_counts();
  int roads = 0;
  for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
    if (!kernels::isa_supported(isa)) continue;
    for (const unsigned threads : {1U, 2U}) {
      auto device = make_device(threads, isa);
      Crowded crowded{*device, 32};
      for (const std::uint32_t chunk : {1U, 32U, 2048U}) {
        for (model::Device* as : {static_cast<model::Device*>(device.get()), static_cast<model::Device*>(&crowded)}) {
          if (chunk == 1 && (as == &crowded || threads == 2)) continue;  // slow, and no road of its own
          for (const std::uint32_t prefix : {0U, 288U}) {                // 18 full blocks kept from the run before
            BOOST_TEST((drive(*as, request, {.from = prefix, .chunk = chunk}) == want));
            ++roads;
          }
          BOOST_TEST((drive(*as, sampled_request, {.chunk = chunk, .first_block = 30, .stride = 3}) == want_sampled));
          BOOST_TEST((drive(*as, ruled_request, {.chunk = chunk}) == want_ruled));
          roads += 2;
        }
      }
    }
  }
  const auto counts = kernels::kernel_counts();
  for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (kernels::isa_supported(isa)) BOOST_TEST(counts.calls.at(static_cast<std::size_t>(isa)) > 1000U);
  BOOST_TEST(counts.gemm > 1000U);
  BOOST_TEST(counts.gemv > 1000U);
  BOOST_TEST_MESSAGE(roads << " roads; products of 16 rows and more " << counts.gemm << ", of one row " << counts.gemv << ", between "
                           << counts.small << "; calls scalar " << counts.calls[0] << ", avx2 " << counts.calls[1] << ", avx512 "
                           << counts.calls[2]);
}

// The default model, where it has been pulled: each road alone.
BOOST_AUTO_TEST_CASE(same_bits_on_the_default_model) {
  const auto path = model::test::default_model_path();
  const int wanted = kernels::isa_supported(Isa::avx2) ? 6 : 5;
  int roads = 0;
  if (path) {
    const auto make = [&](unsigned threads, std::optional<Isa> isa) {
      auto device = model::CpuDevice::make({.path = *path, .blocks = 256, .threads = threads, .isa = isa, .step_rows_max = 2048});
      BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
      return std::move(*device);
    };
    const auto request = make_request(600, 12, 1);
    const auto brief = make_request(8, 8, 2);
    auto device = make(2, kernels::best_isa());
    const auto want = drive(*device, request, {});
    const auto check = [&](model::Device& as, const Drive& how) {
      BOOST_TEST((drive(as, request, how) == want));
      ++roads;
    };
    check(*device, {.from = 592});
    check(*device, {.chunk = 32, .first_block = 60});
    Crowded crowded{*device, 32};
    check(crowded, {.chunk = 512});
    check(*make(1, kernels::best_isa()), {});
    if (kernels::isa_supported(Isa::avx2)) check(*make(2, Isa::avx2), {});
    const auto want_brief = drive(*make(2, kernels::best_isa()), brief, {});
    BOOST_TEST((drive(*make(2, Isa::scalar), brief, {}) == want_brief));
    ++roads;
  }
  BOOST_TEST_MESSAGE("default model " << (path ? "present" : "ABSENT (run `spillway models pull smollm2-135m`)") << ": compared " << roads
                                      << " of " << wanted << " roads, skipped " << wanted - roads);
  BOOST_TEST(roads == (path ? wanted : 0));
}

BOOST_AUTO_TEST_CASE(a_stream_goes_on_with_carried_pages) {
  for (const auto format : {core::PageFormat::raw32, core::PageFormat::raw16}) {
    auto source = make_device(2, {}, format);
    auto target = make_device(1, {}, format);
    const auto plain = make_request(270, 20, 3, 0.8F);
    const auto ruled = with_every_sampler(make_request(270, 20, 4));
    const auto written = with_grammar(with_every_sampler(make_request(270, 20, 5)));
    for (const auto& request : {plain, ruled, written}) {
      const auto whole = drive(*source, request, {});
      BOOST_REQUIRE(whole.size() == 20U);
      for (const std::uint32_t at : {1U, 2U, 5U, 9U, 14U, 19U}) {
        const std::vector<core::TokenOut> before(whole.begin(), whole.begin() + at);
        const Drive there{.answer = model::test::tokens_of(before), .from = 270 + at - 1, .first_block = 60, .stride = 2};
        carry(*source, {}, *target, there, there.from);
        auto outs = drive(*target, request, there);
        outs.insert(outs.begin(), before.begin(), before.end());
        BOOST_TEST((outs == whole));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(each_rule_changes_what_is_drawn_and_nothing_of_the_log_probabilities) {
  auto device = make_device(1);
  const auto request = make_request(40, 24, 8, 0.9F);
  const auto plain = drive(*device, request, {});
  const std::vector<std::function<void(core::Sampling&)>> rules = {
      [](auto& s) { s.typical_p = 0.2F; },           [](auto& s) { s.repetition_penalty = 2.0F; },
      [](auto& s) { s.presence_penalty = 2.0F; },    [](auto& s) { s.frequency_penalty = 2.0F; },
      [](auto& s) { s.logit_bias = {{70, 20.0F}}; }, [](auto& s) { s.dry = {5.0F, 2.0F, 0, 0, {}}; }};
  std::size_t changed = 0;
  for (const auto& rule : rules) {
    auto asked = std::make_shared<core::Request>(*request);
    rule(asked->sampling);
    const auto outs = drive(*device, asked, {});
    changed += model::test::tokens_of(outs) != model::test::tokens_of(plain) ? 1 : 0;
    // Up to the first other token both saw the same logits.
    for (std::size_t i = 0; i < outs.size(); ++i) {
      BOOST_TEST((outs[i].top == plain[i].top));
      if (outs[i].token != plain[i].token) break;
    }
  }
  BOOST_TEST(changed >= 5U);
}

BOOST_AUTO_TEST_CASE(answers_are_texts_of_their_grammar) {
  auto device = make_device(2);
  const auto& tokenizer = *device->tokenizer();
  int ended = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    auto request = with_grammar(make_request(20, 120, seed, 1.2F));
    request->ignore_eos = false;
    request->sampling.logit_bias = {{2, 3.0F}};  // the end token, which a random model draws seldom
    const auto automaton = model::compile_grammar(request->grammar);
    BOOST_REQUIRE(automaton.has_value());
    model::GrammarMatcher matcher(*automaton);
    const auto outs = drive(*device, request, {});
    for (const auto& out : outs) {
      BOOST_TEST((out.finish != core::FinishReason::error));
      if (out.is_end) {
        BOOST_TEST(matcher.can_end());
        ++ended;
      } else {
        BOOST_REQUIRE(!tokenizer.piece(out.token).empty());
        BOOST_REQUIRE(matcher.accept(tokenizer.piece(out.token)));
      }
    }
  }
  BOOST_TEST_MESSAGE(ended << " of 20 answers came to their ends");
  BOOST_TEST(ended >= 5);
}

BOOST_AUTO_TEST_CASE(a_grammar_that_does_not_compile_ends_the_answer_with_an_error) {
  auto device = make_device(1);
  auto request = make_request(20, 40, 1);
  request->grammar = {core::GrammarKind::gbnf, "root ::= root \"a\" | \"b\""};  // a router would have refused it
  const auto outs = drive(*device, request, {});
  BOOST_REQUIRE(outs.size() == 1U);
  BOOST_TEST((outs[0].finish == core::FinishReason::error));
  BOOST_TEST(outs[0].is_end);
}

BOOST_AUTO_TEST_CASE(the_page_format_and_every_page_matter) {
  const auto request = make_request(100, 12, 4);
  auto half = make_device(1);
  const auto want = drive(*half, request, {});
  BOOST_TEST((drive(*make_device(1, {}, core::PageFormat::raw32), request, {}) != want));
  for (core::BlockId block = 0; block < 6; ++block) {
    BOOST_TEST((drive(*half, request, {}) == want));
    std::vector<std::byte> page(half->info().page_bytes, std::byte{0x3c});
    half->write_rows(block, 0, 16, page);
    BOOST_TEST((drive(*half, request, {.from = 96}) != want));
  }
}

BOOST_AUTO_TEST_CASE(choices_fork_from_one_prompt_by_copy_on_write) {
  auto device = make_device(2);
  const auto request = make_request(40, 8, 6, 1.0F);
  std::vector<std::vector<core::TokenOut>> alone;
  for (std::uint32_t choice = 0; choice < 3; ++choice) alone.push_back(drive(*device, request, {.choice = choice}));
  BOOST_TEST((alone[0] != alone[1]));
  BOOST_TEST((alone[1] != alone[2]));

  // One prefill into blocks 0, 1, 2; the growing page 2 is copied for the second and third choice.
  core::StepPlan plan;
  core::StepItem prefill{core::SequenceId{1}, 0, request->prompt.vector(), {0, 1, 2}, {}, {}};
  std::vector<std::vector<core::BlockId>> blocks{{0, 1, 2}, {0, 1, 50}, {0, 1, 51}};
  for (std::uint32_t choice = 0; choice < 3; ++choice) {
    plan.opens.push_back({core::SequenceId{choice + 1}, request, choice, {}});
    prefill.samples.push_back({core::SequenceId{choice + 1}, 0});
  }
  plan.items.push_back(prefill);
  std::vector<std::vector<core::TokenOut>> forked(3);
  for (std::uint32_t index = 0; index < 8; ++index) {
    const auto result = device->execute(plan);
    BOOST_REQUIRE(result.has_value());
    plan = {};
    if (index == 0) plan.copies = {{2, 50, 8}, {2, 51, 8}};
    for (std::uint32_t choice = 0; choice < 3; ++choice) {
      forked[choice].push_back(result->sampled.at(choice).out);
      const auto id = core::SequenceId{choice + 1};
      plan.items.push_back({id, 40 + index, {forked[choice].back().token}, blocks[choice], {{id, index + 1}}, {}});
    }
  }
  for (std::uint32_t choice = 0; choice < 3; ++choice) BOOST_TEST((forked[choice] == alone[choice]));
}

BOOST_AUTO_TEST_CASE(answers_end_by_end_token_stop_string_and_length) {
  auto device = make_device(1);
  auto request = make_request(30, 40, 9, 1.5F);
  const auto whole = drive(*device, request, {});
  BOOST_REQUIRE(whole.size() == 40U);
  BOOST_TEST((whole.back().finish == core::FinishReason::length));
  const auto tokens = model::test::tokens_of(whole);

  // A stop string inside the text of a later token that begins in the middle of the answer.
  const auto& tokenizer = *device->tokenizer();
  std::size_t at = 10;
  while (tokenizer.piece(tokens[at]).size() != 1 || static_cast<unsigned char>(tokenizer.piece(tokens[at])[0]) >= 0x80) ++at;
  const std::string stop{tokenizer.piece(tokens[at])};
  std::size_t first = 0;
  while (tokenizer.piece(tokens[first]).find(stop) == std::string_view::npos) ++first;
  request->stop = {stop};
  const auto stopped = drive(*device, request, {});
  BOOST_TEST(stopped.size() == first + 1);
  BOOST_TEST((stopped.back().finish == core::FinishReason::stop));
  BOOST_TEST(!stopped.back().is_end);
  request->stop.clear();

  // With ignore_eos off, an answer ends at the first end token there would be.
  std::size_t ends = 0;
  request->ignore_eos = false;
  for (request->sampling.seed = 0; request->sampling.seed < 60 && ends < 3; ++request->sampling.seed) {
    const auto outs = drive(*device, request, {});
    for (std::size_t i = 0; i < outs.size(); ++i) BOOST_TEST((tokenizer.is_end(outs[i].token) == outs[i].is_end));
    if (!outs.back().is_end) continue;
    BOOST_TEST((outs.back().finish == core::FinishReason::stop));
    ++ends;
  }
  BOOST_TEST(ends == 3U);
}

BOOST_AUTO_TEST_CASE(options_that_cannot_be_are_refused_by_name) {
  const auto path = model::test::write_tiny_model({});
  const auto refused = [&](const model::CpuOptions& options, const std::string& wish) {
    const auto device = model::CpuDevice::make(options);
    BOOST_REQUIRE(!device.has_value());
    BOOST_TEST(device.error().message.find(wish) != std::string::npos, device.error().message);
  };
  refused({.path = path, .threads = 0}, "threads");
  refused({.path = path, .step_rows_max = 0}, "step_rows_max");
  refused({.path = path, .context_max = 5000}, "context");
  refused({.path = path, .kv_bytes = 100}, "memory for KV");
  refused({.path = path + ".absent"}, path);
  refused({.path = path, .step_rows_max = 65536, .workspace_bytes_max = 1}, "feed_forward_length 160");
  // No more than the file itself takes is always fine.
  BOOST_TEST(model::CpuDevice::make({.path = path, .blocks = 4, .step_rows_max = 1, .workspace_bytes_max = 1}).has_value());
}

BOOST_AUTO_TEST_CASE(the_digests_tell_models_and_formats_apart) {
  const auto info = make_device(1)->info();
  BOOST_TEST((make_device(2, Isa::scalar)->info().kv_id == info.kv_id));
  BOOST_TEST((make_device(1, {}, core::PageFormat::raw32)->info().kv_id != info.kv_id));
  BOOST_TEST((make_device(1, {}, core::PageFormat::raw32)->info().weights_digest == info.weights_digest));
  auto other = model::CpuDevice::make({.path = model::test::write_tiny_model({.seed = 2}), .blocks = 4});
  BOOST_REQUIRE(other.has_value());
  BOOST_TEST(((*other)->info().weights_digest != info.weights_digest));
  BOOST_TEST(((*other)->info().kv_id != info.kv_id));
  BOOST_TEST(info.page_bytes == 2U * 2 * 1 * 16 * 64 * 2);
  BOOST_TEST(info.row_bytes * 16 == info.page_bytes);
}

BOOST_AUTO_TEST_SUITE_END()
