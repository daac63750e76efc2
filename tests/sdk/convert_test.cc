#include <boost/test/unit_test.hpp>

#include "sdk/session.h"

namespace spillway::tests {

BOOST_AUTO_TEST_SUITE(convert)

BOOST_AUTO_TEST_CASE(a_request_becomes_a_submit_field_by_field) {
  sdk::Request request;
  request.prompt = "text";
  request.model = "m";
  request.n = 3;
  request.max_tokens = 7;
  request.temperature = 0.5F;
  request.top_k = 4;
  request.top_p = 0.75F;
  request.min_p = 0.25F;
  request.seed = 11;
  request.stop = {"a", "b"};
  request.ignore_eos = true;
  request.logprobs = 2;
  request.service_class = sdk::ServiceClass::live;
  request.deadline = std::chrono::milliseconds(1500);
  request.request_id = "00112233-4455-6677-8899-aabbccddeeff";
  request.traceparent = "trace";
  request.supersedes = "match-7/de";
  const auto submit = sdk::to_submit(request);
  BOOST_REQUIRE(submit.ok());
  BOOST_TEST(core::to_hex(submit->request) == "00112233445566778899aabbccddeeff");
  BOOST_TEST((submit->kind == core::PromptKind::text));
  BOOST_TEST(submit->text == "text");
  BOOST_TEST(submit->model == "m");
  BOOST_TEST(submit->choices == 3U);
  BOOST_TEST(submit->tokens_max == 7U);
  core::Sampling sampling{0.5F, 4, 0.75F, 0.25F, 11};
  BOOST_TEST((submit->sampling == sampling));
  request.typical_p = 0.5F;
  request.repetition_penalty = 1.5F;
  request.presence_penalty = -0.5F;
  request.frequency_penalty = 0.25F;
  request.min_tokens = 9;
  request.logit_bias = {{3, -1.0F}};
  request.dry_multiplier = 0.75F;
  request.dry_base = 2.0F;
  request.dry_allowed_length = 3;
  request.dry_range = 64;
  sampling.typical_p = 0.5F;
  sampling.repetition_penalty = 1.5F;
  sampling.presence_penalty = -0.5F;
  sampling.frequency_penalty = 0.25F;
  sampling.tokens_min = 9;
  sampling.logit_bias = {{3, -1.0F}};
  sampling.dry = {0.75F, 2.0F, 3, 64, {"\n", ":", "\"", "*"}};
  BOOST_TEST((sdk::to_submit(request)->sampling == sampling));
  BOOST_TEST(submit->seed_set);
  BOOST_TEST(submit->stop == request.stop);
  BOOST_TEST(submit->ignore_eos);
  BOOST_TEST(submit->logprobs == 2U);
  BOOST_TEST((submit->service_class == core::ServiceClass::live));
  BOOST_TEST((submit->deadline == std::chrono::milliseconds(1500)));
  BOOST_TEST(submit->traceparent == "trace");
  BOOST_TEST(submit->supersedes == "match-7/de");
}

BOOST_AUTO_TEST_CASE(messages_win_over_tokens_and_tokens_over_text) {
  sdk::Request request;
  request.prompt = "text";
  request.prompt_tokens = {1, 2};
  BOOST_TEST((sdk::to_submit(request)->kind == core::PromptKind::tokens));
  request.messages = {{"user", "hello"}};
  const auto submit = sdk::to_submit(request);
  BOOST_TEST((submit->kind == core::PromptKind::chat));
  BOOST_TEST((submit->messages == std::vector<core::ChatMessage>{{"user", "hello"}}));
}

BOOST_AUTO_TEST_CASE(ids_are_drawn_or_checked) {
  const auto first = sdk::to_submit({});
  const auto second = sdk::to_submit({});
  BOOST_TEST((first->request != second->request));
  BOOST_TEST(!first->seed_set);
  sdk::Request wrong;
  wrong.request_id = "not hex";
  const auto refused = sdk::to_submit(wrong);
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code == sdk::Code::bad_argument));
  BOOST_TEST(refused.error().message.find("not hex") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(errors_and_tokens_keep_what_they_say) {
  const auto error = sdk::to_error({core::Errc::queue_full, "full", std::chrono::milliseconds(250)});
  BOOST_TEST((error.code == sdk::Code::queue_full));
  BOOST_TEST(error.message == "full");
  BOOST_TEST(error.retry_after.count() == 250);
  BOOST_TEST(sdk::to_string(sdk::Code::draining) == "draining");
  const auto token = sdk::to_token({5, false, core::FinishReason::none, -0.5F, {{5, -0.5F}, {6, -1.0F}}});
  BOOST_TEST(token.id == 5);
  BOOST_TEST(token.logprob == -0.5F);
  BOOST_TEST(token.top.size() == 2U);
  BOOST_TEST(token.top[1].token == 6);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
