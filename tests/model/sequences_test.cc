#include "model/sequences.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "model/paced_tokenizer.h"

using namespace spillway;
using core::FinishReason;
using core::SequenceId;

namespace {

struct AcceptCase {
  const char* rule;
  std::uint32_t tokens_max;
  bool ignore_eos;
  bool stop_string;
  core::TokenId last;  // of three tokens
  FinishReason finish;
  bool is_end;
};

constexpr core::TokenId end_token = 2;
constexpr core::TokenId word = 300;

const AcceptCase accept_cases[] = {{"goes on", 9, false, false, word, FinishReason::none, false},
                                   {"end token", 9, false, false, end_token, FinishReason::stop, true},
                                   {"end token ignored", 9, true, false, end_token, FinishReason::none, false},
                                   {"end token ignored, last token", 3, true, false, end_token, FinishReason::length, false},
                                   {"last token", 3, false, false, word, FinishReason::length, false},
                                   {"end token as last token", 3, false, false, end_token, FinishReason::stop, true},
                                   {"stop string", 9, false, true, word, FinishReason::stop, false},
                                   {"stop string in the last token", 3, false, true, word, FinishReason::stop, false}};

}  // namespace

BOOST_AUTO_TEST_SUITE(sequences)

BOOST_AUTO_TEST_CASE(a_choice_ends_by_one_rule_whether_played_or_replayed) {
  const auto tokenizer = model::paced_tokenizer(1000);
  BOOST_REQUIRE(tokenizer.has_value());
  for (const auto& c : accept_cases) {
    for (const bool replayed : {false, true}) {
      auto request = std::make_shared<core::Request>();
      request->prompt = {1};
      request->tokens_max = c.tokens_max;
      request->ignore_eos = c.ignore_eos;
      if (c.stop_string) request->stop = {"zz", std::string{(*tokenizer)->piece(301)}.substr(1) + std::string{(*tokenizer)->piece(word)}};
      model::Sequences sequences{*tokenizer};
      const std::vector<core::TokenId> before{400, 301};
      sequences.open({SequenceId{7}, request, 0, replayed ? before : std::vector<core::TokenId>{}});
      auto* sequence = sequences.find(SequenceId{7});
      BOOST_REQUIRE(sequence != nullptr);
      core::TokenOut out;
      if (!replayed) {
        for (std::uint32_t i = 0; i < 2; ++i) {
          out = {};
          out.token = before[i];
          sequences.accept(*sequence, i, out);
          BOOST_TEST((out.finish == FinishReason::none), c.rule);
        }
      }
      out = {};
      out.token = c.last;
      sequences.accept(*sequence, 2, out);
      BOOST_TEST((out.finish == c.finish), c.rule);
      BOOST_TEST(out.is_end == c.is_end, c.rule);
      sequences.close(SequenceId{7});
      BOOST_TEST(sequences.find(SequenceId{7}) == nullptr);
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_plans_are_refused_by_name) {
  const model::Sequences sequences{nullptr};
  core::ReplicaInfo info;
  info.context_max = 64;
  info.vocabulary = 100;
  info.blocks = 8;
  const auto refused = [&](const core::StepPlan& plan, const std::string& wish) {
    const auto checked = sequences.check(plan, info, 20);
    BOOST_REQUIRE(!checked.has_value());
    BOOST_TEST(checked.error().message.find(wish) != std::string::npos, checked.error().message);
  };
  const SequenceId id{3};
  core::StepPlan good;
  good.opens.push_back({id, std::make_shared<core::Request>(), 0, {}});
  good.copies.push_back({0, 1, 16});
  good.items.push_back({id, 0, std::vector<core::TokenId>(20, 5), {0, 1}, {{id, 0}}, {}});
  BOOST_TEST(sequences.check(good, info, 20).has_value());
  auto plan = good;
  plan.items[0].tokens.push_back(5);
  refused(plan, "step of 21 rows");
  plan = good;
  plan.opens[0].request = nullptr;
  refused(plan, "no request");
  plan = good;
  plan.copies[0].to = 8;
  refused(plan, "block copy");
  plan = good;
  plan.copies[0].rows = 17;
  refused(plan, "block copy");
  plan = good;
  plan.items[0].tokens[3] = -1;
  refused(plan, "token -1");
  plan = good;
  plan.items[0].blocks = {0};
  refused(plan, "1 blocks for 20 tokens");
  plan = good;
  plan.items[0].first_position = 60;
  refused(plan, "context of 64");
  plan = good;
  plan.opens.clear();
  refused(plan, "was not opened");
}

BOOST_AUTO_TEST_SUITE_END()
