#include <boost/test/unit_test.hpp>

#include "actors/router_actor.h"
#include "model/paced_tokenizer.h"

namespace spillway::tests {

namespace {

actors::RouterSetup setup() {
  actors::RouterSetup made;
  actors::RoutedModel model;
  model.name = "paced";
  model.id = core::model_id(model.name);
  model.tokenizer = *model::paced_tokenizer(1000);
  made.models.push_back(model);
  const auto bit = [](core::ServiceClass one) { return 1U << static_cast<unsigned>(one); };
  made.tenants.push_back({"news", core::tenant_id("news"), {}, bit(core::ServiceClass::live) | bit(core::ServiceClass::interactive)});
  made.tenants.push_back({"archive", core::tenant_id("archive"), {}, bit(core::ServiceClass::batch)});
  return made;
}

core::Submit submit() {
  core::Submit made;
  made.request = {{1, 2}};
  made.kind = core::PromptKind::tokens;
  made.tokens = {300, 301};
  made.tokens_max = 4;
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(submit_checks)

BOOST_AUTO_TEST_CASE(a_class_the_tenant_may_not_ask_for_is_refused_by_name) {
  const auto made = setup();
  struct Case {
    const char* tenant;
    core::ServiceClass asked;
    bool fine;
  };
  const Case cases[] = {{"", core::ServiceClass::live, true},         {"news", core::ServiceClass::interactive, true},
                        {"news", core::ServiceClass::batch, false},   {"", core::ServiceClass::batch, false},
                        {"archive", core::ServiceClass::batch, true}, {"archive", core::ServiceClass::live, false}};
  for (const auto& c : cases) {
    auto asked = submit();
    asked.service_class = c.asked;
    const auto admit = actors::prepare(asked, made, c.tenant);
    BOOST_TEST(admit.has_value() == c.fine, c.tenant << " asks for " << core::to_string(c.asked));
    if (admit) continue;
    BOOST_TEST((admit.error().code == core::Errc::unauthorized));
    BOOST_TEST(admit.error().message.find(core::to_string(c.asked)) != std::string::npos);
    BOOST_TEST(admit.error().message.find(*c.tenant == '\0' ? "news" : c.tenant) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(what_is_over_a_limit_is_refused_with_the_key_of_the_limit) {
  const auto made = setup();
  const auto refused = [&](const core::Submit& asked, const std::string& words, core::Errc code = core::Errc::bad_argument) {
    const auto admit = actors::prepare(asked, made, "news");
    BOOST_REQUIRE_MESSAGE(!admit, "wanted a refusal with: " << words);
    BOOST_TEST((admit.error().code == code));
    BOOST_TEST(admit.error().message.find(words) != std::string::npos, admit.error().message);
  };
  auto asked = submit();
  asked.choices = made.submit.choices_max + 1;
  refused(asked, "limits.choices_max");
  asked = submit();
  asked.tokens_max = made.submit.output_tokens_max + 1;
  refused(asked, "limits.output_tokens_max");
  asked = submit();
  asked.logprobs = made.submit.logprobs_max + 1;
  refused(asked, "limits.logprobs_max");
  asked = submit();
  asked.tokens.assign(made.submit.prompt_tokens_max + 1, 300);
  refused(asked, "limits.prompt_tokens_max");
  asked = submit();
  asked.tokens = {1000};
  refused(asked, "prompt token 1000");
  asked = submit();
  asked.sampling.logit_bias = {{1000, 1.0F}};
  refused(asked, "logit_bias: token 1000 is outside the vocabulary of 1000");
  asked = submit();
  asked.sampling.tokens_min = asked.tokens_max + 1;
  refused(asked, "min_tokens = 5: want at most max_tokens, 4");
  asked = submit();
  asked.sampling.typical_p = 0.0F;
  refused(asked, "typical_p = 0");
  asked = submit();
  asked.grammar = {core::GrammarKind::gbnf, "root ::= other"};
  refused(asked, "the rule 'other' is asked for and not there");
  asked = submit();
  asked.grammar = {core::GrammarKind::json_schema, R"({"not":{}})"};
  refused(asked, "#/not: this keyword is not offered");
  asked = submit();
  asked.resumed = true;
  asked.resume.choices = {{{5000}, core::FinishReason::none, {}}};
  refused(asked, "token 5000");
  asked = submit();
  asked.supersedes.assign(257, 'c');
  refused(asked, "supersedes");
  asked = submit();
  asked.supersedes = "match-7/de";
  BOOST_TEST(actors::prepare(asked, made, "news")->request->supersedes == "match-7/de");
  asked = submit();
  asked.prompt_only = true;
  refused(asked, "max_tokens 0 and n 1, not 4 and 1");
  asked.tokens_max = 0;
  asked.choices = 2;
  refused(asked, "not 0 and 2");
  asked.choices = 1;
  BOOST_TEST(actors::prepare(asked, made, "news")->request->prompt_only);
  asked = submit();
  asked.adapter.assign(257, 'a');
  refused(asked, "adapter");
  asked.adapter = "sport";
  BOOST_TEST(actors::prepare(asked, made, "news")->request->adapter == "sport");
  asked = submit();
  asked.model = "other";
  refused(asked, "'other'", core::Errc::unknown_model);
  BOOST_TEST(!actors::prepare(submit(), made, "nobody").has_value());
}

BOOST_AUTO_TEST_CASE(what_changes_bytes_is_required_by_its_bit) {
  const auto made = setup();
  const auto required = [&](const core::Submit& asked) { return actors::prepare(asked, made, "news")->request->required; };
  const auto bit = [](core::Feature feature) { return static_cast<std::uint64_t>(feature); };
  BOOST_TEST(required(submit()) == 0U);
  auto asked = submit();
  asked.sampling.presence_penalty = 0.5F;
  BOOST_TEST(required(asked) == bit(core::Feature::logit_rules));
  asked = submit();
  asked.sampling.typical_p = 0.5F;
  BOOST_TEST(required(asked) == bit(core::Feature::typical_p));
  asked = submit();
  asked.grammar.kind = core::GrammarKind::json_object;
  BOOST_TEST(required(asked) == bit(core::Feature::grammar));
}

BOOST_AUTO_TEST_CASE(the_prompt_is_made_ready_for_the_models_of_the_tenant_s_ladder) {
  auto made = setup();
  for (const char* name : {"small", "tiny"}) {
    actors::RoutedModel model;
    model.name = name;
    model.id = core::model_id(name);
    model.tokenizer = *model::paced_tokenizer(model.name == "tiny" ? 400 : 1000);
    made.models.push_back(model);
  }
  made.tenants[0].ladder_models = {core::model_id("small"), core::model_id("tiny"), core::model_id("paced"), core::model_id("gone")};
  const auto models = [&](const core::Submit& asked, const char* tenant) {
    const auto admit = actors::prepare(asked, made, tenant);
    std::vector<core::ModelId> list;
    BOOST_REQUIRE(admit.has_value());
    for (const auto& other : admit->alternatives) list.push_back(other.model);
    return list;
  };
  // Tokens mean something else in another vocabulary; a text is the same text.
  BOOST_TEST((models(submit(), "news") == std::vector{core::model_id("small")}));
  auto text = submit();
  text.kind = core::PromptKind::text;
  text.text = "a goal";
  BOOST_TEST((models(text, "news") == std::vector{core::model_id("small"), core::model_id("tiny")}));
  text.service_class = core::ServiceClass::batch;
  BOOST_TEST(models(text, "archive").empty());
  text.service_class = core::ServiceClass::live;
  text.resumed = true;
  BOOST_TEST(models(text, "news").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
