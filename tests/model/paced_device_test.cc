#include "model/paced_device.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace {

using namespace spillway;
using core::SequenceId;

std::unique_ptr<model::PacedDevice> make_device(std::uint32_t blocks = 64) {
  auto device = model::PacedDevice::make({.blocks = blocks, .vocabulary = 1000});
  BOOST_REQUIRE(device.has_value());
  return std::move(*device);
}

std::shared_ptr<core::Request> make_request(std::uint32_t prompt_tokens, std::uint32_t tokens_max) {
  auto request = std::make_shared<core::Request>();
  std::vector<core::TokenId> prompt;
  for (std::uint32_t i = 0; i < prompt_tokens; ++i) prompt.push_back(static_cast<core::TokenId>(3 + i * 7 % 200));
  request->prompt = std::move(prompt);
  request->tokens_max = tokens_max;
  return request;
}

/// Blocks 0, 1, 2, ... moved by `shift`.
std::vector<core::BlockId> table(std::size_t tokens, core::BlockId shift) {
  std::vector<core::BlockId> blocks((tokens + 15) / 16);
  std::iota(blocks.begin(), blocks.end(), shift);
  return blocks;
}

/// Rows [from, tokens.size()) in chunks, then one token a step until the choice ends.
std::vector<core::TokenOut> run(model::Device& device, const std::shared_ptr<core::Request>& request, std::vector<core::TokenId> answer,
                                std::size_t from, std::size_t chunk, core::BlockId shift, std::uint32_t choice = 0) {
  std::vector<core::TokenId> tokens = request->prompt.vector();
  tokens.insert(tokens.end(), answer.begin(), answer.end());
  core::StepPlan open;
  open.opens.push_back({SequenceId{1}, request, choice, answer});
  BOOST_REQUIRE(device.execute(open).has_value());
  std::vector<core::TokenOut> outs;
  while (outs.empty() || outs.back().finish == core::FinishReason::none) {
    const std::size_t end = std::min(tokens.size(), from + chunk);
    core::StepItem item;
    item.sequence = SequenceId{1};
    item.first_position = static_cast<std::uint32_t>(from);
    item.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(from), tokens.begin() + static_cast<std::ptrdiff_t>(end));
    item.blocks = table(end, shift);
    const auto index = static_cast<std::uint32_t>(answer.size() + outs.size());
    if (end == tokens.size()) item.samples.push_back({SequenceId{1}, index});
    core::StepPlan plan;
    plan.items.push_back(item);
    const auto result = device.execute(plan);
    BOOST_REQUIRE(result.has_value());
    from = end;
    for (const auto& sampled : result->sampled) {
      outs.push_back(sampled.out);
      tokens.push_back(sampled.out.token);
    }
  }
  return outs;
}

std::vector<core::TokenId> ids(const std::vector<core::TokenOut>& outs) {
  std::vector<core::TokenId> tokens;
  for (const auto& out : outs) tokens.push_back(out.token);
  return tokens;
}

}  // namespace

BOOST_AUTO_TEST_CASE(paced_answer_depends_neither_on_chunks_nor_on_blocks) {
  const auto request = make_request(100, 40);
  auto device = make_device();
  const auto whole = run(*device, request, {}, 0, 2048, 0);
  BOOST_TEST(whole.size() == 40U);
  BOOST_TEST((whole.back().finish == core::FinishReason::length));
  for (const std::size_t chunk : {1U, 7U, 32U}) BOOST_TEST((run(*device, request, {}, 0, chunk, 20) == whole));
}

BOOST_AUTO_TEST_CASE(paced_pages_carried_to_another_device_continue_the_text) {
  const auto request = make_request(50, 30);
  auto source = make_device();
  const auto whole = ids(run(*source, request, {}, 0, 2048, 0));
  for (const std::size_t at : {1U, 5U, 14U, 29U}) {
    const std::vector<core::TokenId> answer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(at));
    const std::size_t rows = 50 + at - 1;  // the last token's row is made at the destination
    auto target = make_device();
    std::vector<std::byte> bytes;
    for (std::size_t done = 0; done < rows; done += 16) {
      const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(16, rows - done));
      bytes.resize(n * source->info().row_bytes);
      source->read_rows(static_cast<core::BlockId>(done / 16), 0, n, bytes);
      target->write_rows(static_cast<core::BlockId>(9 + done / 16), 0, n, bytes);
    }
    auto rest = answer;
    for (const auto token : ids(run(*target, request, answer, rows, 16, 9))) rest.push_back(token);
    BOOST_TEST(rest == whole, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(paced_wrong_byte_in_any_page_changes_the_text) {
  const auto request = make_request(48, 20);
  auto device = make_device();
  const auto whole = ids(run(*device, request, {}, 0, 2048, 0));
  for (core::BlockId block = 0; block < 3; ++block) {
    std::vector<std::byte> row(device->info().row_bytes);
    run(*device, request, {}, 0, 2048, 0);
    device->read_rows(block, 3, 1, row);
    row[77] ^= std::byte{1};
    device->write_rows(block, 3, 1, row);
    BOOST_TEST(ids(run(*device, request, {whole[0]}, 48, 1, 0)) != std::vector<core::TokenId>(whole.begin() + 1, whole.end()));
  }
}

BOOST_AUTO_TEST_CASE(paced_sampling_mixes_seed_and_choice_only_when_it_samples) {
  const auto request = make_request(20, 12);
  auto device = make_device();
  const auto greedy = ids(run(*device, request, {}, 0, 64, 0, 0));
  BOOST_TEST(ids(run(*device, request, {}, 0, 64, 0, 1)) == greedy);
  request->sampling.temperature = 1.0F;
  request->sampling.seed = 5;
  const auto first = ids(run(*device, request, {}, 0, 64, 0, 0));
  BOOST_TEST(ids(run(*device, request, {}, 0, 64, 0, 1)) != first);
  BOOST_TEST(ids(run(*device, request, {}, 0, 64, 0, 0)) == first);
  request->sampling.seed = 6;
  BOOST_TEST(ids(run(*device, request, {}, 0, 64, 0, 0)) != first);
}

BOOST_AUTO_TEST_CASE(paced_words_follow_no_grammar_and_it_says_so) {
  const auto features = make_device()->info().features;
  BOOST_TEST((features & static_cast<std::uint64_t>(core::Feature::grammar)) == 0U);
  BOOST_TEST((features & static_cast<std::uint64_t>(core::Feature::logit_rules)) != 0U);
}

BOOST_AUTO_TEST_CASE(paced_stop_string_ends_a_choice_and_is_found_again_after_a_replay) {
  const auto request = make_request(20, 30);
  auto device = make_device();
  const auto whole = ids(run(*device, request, {}, 0, 64, 0));
  const auto text = device->tokenizer()->decode(std::vector<core::TokenId>{whole[9], whole[10]});
  BOOST_REQUIRE(text.has_value());
  request->stop = {text->substr(text->size() - 7)};  // ends with token 10 and reaches back into token 9
  const auto stopped = run(*device, request, {}, 0, 64, 0);
  BOOST_TEST(stopped.size() == 11U);
  BOOST_TEST((stopped.back().finish == core::FinishReason::stop));
  BOOST_TEST(!stopped.back().is_end);
  const std::vector<core::TokenId> answer(whole.begin(), whole.begin() + 10);
  const auto moved = run(*device, request, answer, 0, 64, 0);
  BOOST_TEST(moved.size() == 1U);
  BOOST_TEST((moved.back().finish == core::FinishReason::stop));
}

BOOST_AUTO_TEST_CASE(paced_step_tells_its_time_by_the_cost_table) {
  auto device = model::PacedDevice::make({.vocabulary = 1000,
                                          .step = core::Duration{1000},
                                          .prefill_token = core::Duration{10},
                                          .decode_token = core::Duration{100},
                                          .context_per_1k = core::Duration{1000}});
  BOOST_REQUIRE(device.has_value());
  const auto request = make_request(20, 2);
  core::StepPlan plan;
  plan.opens.push_back({SequenceId{1}, request, 0, {}});
  plan.items.push_back({SequenceId{1}, 0, request->prompt.vector(), table(20, 0), {{SequenceId{1}, 0}}, {}});
  const auto first = (*device)->execute(plan);
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(first->elapsed.count() == 1000 + 20 * 10 + 210);
  core::StepPlan next;
  next.items.push_back({SequenceId{1}, 20, {first->sampled[0].out.token}, table(21, 0), {{SequenceId{1}, 1}}, {}});
  const auto second = (*device)->execute(next);
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST(second->elapsed.count() == 1000 + 100 + 21);
}

BOOST_AUTO_TEST_CASE(paced_wrong_plans_are_refused_by_name_and_change_nothing) {
  auto device = make_device(4);
  const auto request = make_request(20, 2);
  struct Case {
    const char* wish;
    core::StepItem item;
  };
  const Case cases[] = {{"was not opened", {SequenceId{7}, 0, {5}, {0}, {{SequenceId{7}, 0}}, {}}},
                        {"no tokens", {SequenceId{7}, 0, {}, {0}, {}, {}}},
                        {"not in the pool", {SequenceId{7}, 0, {5}, {4}, {}, {}}},
                        {"not in the vocabulary", {SequenceId{7}, 0, {1000}, {0}, {}, {}}},
                        {"blocks for", {SequenceId{7}, 16, {5}, {0}, {}, {}}},
                        {"beyond the context", {SequenceId{7}, 8192, {5}, {0}, {}, {}}}};
  for (const auto& wrong : cases) {
    core::StepPlan plan;
    plan.items.push_back(wrong.item);
    const auto result = device->execute(plan);
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST(result.error().message.find(wrong.wish) != std::string::npos, result.error().message);
  }
  BOOST_TEST(!model::PacedDevice::make({.page_bytes = 1000}).has_value());
  BOOST_TEST(!model::PacedDevice::make({.vocabulary = 260}).has_value());
}
