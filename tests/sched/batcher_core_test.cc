#include "sched/batcher_core.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sched/batcher_bench.h"

using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
using core::Errc;
namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(batcher_core)

BOOST_AUTO_TEST_CASE(a_run_is_accepted_computed_and_told_token_by_token) {
  Bench b;
  b.core.set_report_number(41);
  const auto run = make_run(1);
  b.give(run);
  const auto accepted = b.posted<core::RunAccepted>();
  BOOST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST(accepted[0].report == 41U);
  BOOST_TEST(!accepted[0].imported);
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
  BOOST_TEST(b.posted<core::Tokens>().size() == 8U);  // one message a step
  BOOST_TEST(b.core.idle());
  BOOST_TEST(b.worker.open_sequences() == 0U);
  BOOST_TEST(b.core.counters().tokens_generated == 8U);
}

struct Refusal {
  const char* rule;
  void (*spoil)(core::Run&, core::Request&);
  Errc code;
  const char* words;
  friend std::ostream& operator<<(std::ostream& out, const Refusal& r) { return out << r.rule; }
};
const Refusal refusals[] = {
    {"longer than the context", [](core::Run&, core::Request& r) { r.tokens_max = 1005; }, Errc::no_capacity,
     "prompt of 20 tokens + tokens_max 1005 = 1025: more than the context of 1024"},
    {"more blocks than the pool", [](core::Run&, core::Request& r) { r.tokens_max = 146; }, Errc::no_capacity,
     "need 11 blocks: more than the pool of 10"},
    {"more choices than sequences", [](core::Run& run, core::Request& r) { r.choices = 9, run.choices.resize(9); }, Errc::no_capacity,
     "9 choices: more than the 8 sequences"},
    {"an unknown required bit", [](core::Run&, core::Request& r) { r.required = 1U << 9; }, Errc::unsupported, "feature bit 9"},
    {"an adapter it does not have", [](core::Run&, core::Request& r) { r.adapter = "sport"; }, Errc::unsupported,
     "does not serve the adapter 'sport': it has none"},
    {"another model", [](core::Run&, core::Request& r) { r.model = {6}; }, Errc::unknown_model, "tiny"},
    {"no request", [](core::Run& run, core::Request&) { run.request.reset(); }, Errc::bad_argument, "prompt"},
    {"an empty prompt", [](core::Run&, core::Request& r) { r.prompt = {}; }, Errc::bad_argument, "prompt"},
    {"a token outside the vocabulary",
     [](core::Run&, core::Request& r) {
       r.prompt = {1, 2, 3, 97};
     },
     Errc::bad_argument, "vocabulary of 97"},
    {"a negative token",
     [](core::Run&, core::Request& r) {
       r.prompt = {1, 2, 3, -1};
     },
     Errc::bad_argument, "vocabulary"},
    {"a bad token so far", [](core::Run& run, core::Request&) { run.choices[0].tokens = {99}; }, Errc::bad_argument, "vocabulary"},
    {"choices that do not match", [](core::Run& run, core::Request&) { run.choices.resize(2); }, Errc::bad_argument,
     "2 choices of a request for 1"},
    {"nothing left to run", [](core::Run& run, core::Request&) { run.choices[0].finish = core::FinishReason::stop; }, Errc::bad_argument,
     "all over"},
    {"as many tokens as it may have", [](core::Run& run, core::Request&) { run.choices[0].tokens.assign(8, 1); }, Errc::bad_argument,
     "tokens_max"},
    {"tokens_max of zero", [](core::Run&, core::Request& r) { r.tokens_max = 0; }, Errc::bad_argument, "tokens_max"},
    {"no output, but tokens asked for", [](core::Run&, core::Request& r) { r.prompt_only = true; }, Errc::bad_argument, "without output"},
    {"no output in two choices",
     [](core::Run& run, core::Request& r) { r.prompt_only = true, r.tokens_max = 0, r.choices = 2, run.choices.resize(2); },
     Errc::bad_argument, "2 choices"},
    {"a prompt alone beyond the pool",
     [](core::Run&, core::Request& r) { r.prompt_only = true, r.tokens_max = 0, r.prompt = std::vector<core::TokenId>(161, 1); },
     Errc::no_capacity, "more than the pool of 10"},
};
BOOST_DATA_TEST_CASE(what_cannot_run_is_refused_by_name, bdata::make(refusals), c) {
  Bench b({.sequences_max = 8}, 10);
  auto run = make_run(1);
  auto request = std::make_shared<core::Request>(*run.request);
  run.request = request;
  c.spoil(run, *request);
  b.give(run);
  const auto refused = b.posted<core::RunRefused>();
  BOOST_REQUIRE(refused.size() == 1U);
  BOOST_TEST((refused[0].code == c.code));
  BOOST_TEST(refused[0].reason.find(c.words) != std::string::npos, refused[0].reason);
  BOOST_TEST(b.core.idle());
  b.give(run);
  BOOST_TEST(b.out.size() == 1U);  // a refused epoch is not looked at again
}

BOOST_AUTO_TEST_CASE(what_just_fits_is_run) {
  Bench b({.sequences_max = 8}, 10);
  const auto run = make_run(1, 1, {.tokens_max = 141});  // 160 rows: the last token needs none
  b.give(run);
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
}

BOOST_AUTO_TEST_CASE(a_request_without_output_is_over_when_its_prompt_is_computed) {
  for (const std::uint32_t prompt : {1U, 16U, 70U, 160U}) {
    Bench b({.step_tokens_max = 30}, 10);
    auto run = make_run(1, 1, {.prompt = prompt});
    auto request = std::make_shared<core::Request>(*run.request);
    request->tokens_max = 0;
    request->prompt_only = true;
    run.request = request;
    b.give(run);
    b.run_dry();
    const auto heard = b.heard(run);
    BOOST_REQUIRE(heard.size() == 1U);
    BOOST_TEST(heard[0].is_end);
    BOOST_TEST((heard[0].finish == core::FinishReason::length));
    BOOST_TEST(b.worker.rows == prompt);
    BOOST_TEST(b.core.counters().tokens_generated == 0U);
    BOOST_TEST(b.core.idle());
    BOOST_TEST(b.worker.open_sequences() == 0U);
    BOOST_TEST(b.added_names().size() == prompt / 16);  // what it computed is there for others
  }
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_and_says_when_to_come_back) {
  Bench b({.sequences_max = 1, .queue_max = 2});
  for (std::uint64_t id = 1; id <= 3; ++id) b.give(make_run(id));
  const auto refused = b.posted<core::RunRefused>();
  BOOST_REQUIRE(refused.size() == 1U);
  BOOST_TEST((refused[0].code == Errc::queue_full));
  BOOST_TEST((refused[0].retry_after > 0ms));
}

BOOST_AUTO_TEST_CASE(a_full_queue_gives_its_least_urgent_back_for_a_more_urgent_one) {
  Bench b({.queue_max = 2});
  b.give(make_run(1, 1, {.service_class = core::ServiceClass::batch}));
  b.give(make_run(2));
  b.give(make_run(3, 1, {.service_class = core::ServiceClass::live}));
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 1U);
  BOOST_TEST((returned[0].key == make_run(1).key));
  BOOST_TEST((returned[0].code == Errc::queue_full));
  BOOST_TEST(b.posted<core::RunRefused>().empty());
}

BOOST_AUTO_TEST_CASE(the_same_epoch_is_accepted_again_and_runs_once) {
  Bench b;
  const auto run = make_run(1);
  b.give(run);
  b.step();
  b.give(run);
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 2U);
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
}

BOOST_AUTO_TEST_CASE(a_newer_epoch_replaces_the_stream_and_finds_its_blocks) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 40});
  b.give(run);
  b.step();
  b.give(continued(run, 2, 1));
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  BOOST_TEST(b.posted<core::RunAccepted>().back().cached_tokens == 32U);
  b.run_dry();
  BOOST_TEST(b.worker.rows == 40U + 9U + 6U);  // 8 prompt rows and a token again, then six more tokens fed back
}

BOOST_AUTO_TEST_CASE(a_newer_epoch_replaces_also_in_the_middle_of_a_step) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 40});
  b.give(run);
  const auto step = b.plan();
  b.give(continued(run, 2, 0));
  b.finish(*step);
  BOOST_TEST(b.posted<core::Tokens>().empty());  // what the old epoch drew is dropped
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
}

BOOST_AUTO_TEST_CASE(an_older_epoch_is_ignored_while_it_runs_and_after_it_ended) {
  Bench b;
  b.give(make_run(1, 5));
  b.give(make_run(1, 4));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 1U);
  b.run_dry();
  b.out.clear();
  b.give(make_run(1, 5));
  b.give(make_run(1, 4));
  BOOST_TEST(b.out.empty());
  b.give(make_run(1, 6));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(ended_epochs_are_forgotten_after_their_time_and_beyond_their_number) {
  Bench b({.ended_memory = 5s, .ended_memory_max = 3});
  b.give(make_run(1));
  b.run_dry();
  BOOST_TEST((b.core.next_tick() == b.now + 5s));
  b.now += 5s;
  b.core.on_tick(b.now, b.out);
  BOOST_TEST((b.core.next_tick() == core::never));
  b.out.clear();
  b.give(make_run(1));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 1U);
  for (std::uint64_t id = 2; id <= 5; ++id) b.give(make_run(id));
  b.run_dry();
  b.out.clear();
  for (std::uint64_t id = 1; id <= 5; ++id) b.give(make_run(id));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 2U);
}

BOOST_AUTO_TEST_CASE(cancel_ends_the_stream_of_this_epoch_or_an_older_one) {
  Bench b;
  b.give(make_run(1, 3));
  b.give(make_run(2, 3));
  b.give(make_run(3, 3));
  b.give(core::CancelRun{.key = make_run(1).key, .epoch = {{500}, 2}});
  b.give(core::CancelRun{.key = make_run(2).key, .epoch = {{500}, 3}});
  b.give(core::CancelRun{.key = make_run(3).key, .epoch = {{500}, 4}});
  BOOST_TEST(b.core.report(b.now).queued == 1U);
  b.run_dry();
  BOOST_TEST(b.heard(make_run(1)).size() == 8U);
}

BOOST_AUTO_TEST_CASE(what_is_wished_back_is_given_back_only_from_the_queue) {
  BatcherLimits limits;
  limits.sequences_max = 1;
  Bench b(limits);
  b.give(make_run(1, 3));
  const auto step = b.plan();
  b.give(make_run(2, 3));
  b.give(make_run(3, 3));
  const core::ReplicaReport told = b.core.report(b.now);
  BOOST_TEST(told.queued == 2U);
  BOOST_TEST(told.blocks_head == 2U);  // 20 tokens
  BOOST_TEST(told.blocks_queued == 4U);
  b.out.clear();
  b.give(core::CancelRun{.key = make_run(1).key, .epoch = {{500}, 3}, .give_back = true});  // runs
  b.give(core::CancelRun{.key = make_run(2).key, .epoch = {{500}, 4}, .give_back = true});  // not of this epoch
  b.give(core::CancelRun{.key = make_run(9).key, .epoch = {{500}, 3}, .give_back = true});  // not known
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  b.give(core::CancelRun{.key = make_run(3).key, .epoch = {{500}, 3}, .give_back = true});
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 1U);
  BOOST_TEST((returned[0].key == make_run(3).key && returned[0].code == core::Errc::queue_full));
  b.give(make_run(9, 3));  // was not taken for cancelled
  b.finish(*step);
  b.run_dry();
  BOOST_TEST(b.heard(make_run(1)).size() == 8U);
  BOOST_TEST(b.heard(make_run(2)).size() == 8U);
  BOOST_TEST(b.heard(make_run(3)).empty());
  BOOST_TEST(b.heard(make_run(9)).size() == 8U);
  BOOST_TEST(b.core.report(b.now).blocks_released == 6U);
}

BOOST_AUTO_TEST_CASE(a_run_behind_its_own_cancel_is_not_run) {
  Bench b;
  b.give(core::CancelRun{.key = make_run(1).key, .epoch = {{500}, 2}});
  b.give(make_run(1, 2));
  BOOST_TEST(b.core.idle());
  b.give(make_run(1, 3));
  BOOST_TEST(!b.core.idle());
}

BOOST_AUTO_TEST_CASE(blocks_of_a_cancelled_stream_wait_for_the_step_in_flight) {
  Bench b;
  b.give(make_run(1));
  const auto step = b.plan();
  b.give(core::CancelRun{.key = make_run(1).key, .epoch = {{500}, 1}});
  BOOST_TEST(b.core.report(b.now).blocks_used == 2U);
  BOOST_TEST(!b.core.idle());
  b.finish(*step);
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  BOOST_TEST(b.posted<core::Tokens>().empty());
  b.run_dry();
  BOOST_TEST(b.worker.open_sequences() == 0U);
}

BOOST_AUTO_TEST_CASE(at_its_deadline_a_stream_is_given_back_queued_or_running) {
  Bench b({.sequences_max = 1});
  b.give(make_run(1, 1, {.deadline = 100ms}));
  b.give(make_run(2, 1, {.deadline = 200ms}));
  b.step();
  BOOST_TEST((b.core.next_tick() == b.now + 100ms));
  b.now += 99ms;
  b.core.on_tick(b.now, b.out);
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  b.now += 1ms;
  b.core.on_tick(b.now, b.out);
  b.now += 100ms;
  BOOST_TEST(b.plan().has_value());  // closes the first; the second was over before it began
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 2U);
  for (const auto& r : returned) BOOST_TEST((r.code == Errc::timeout));
  BOOST_TEST(b.core.idle());
}

BOOST_AUTO_TEST_CASE(a_dead_owner_takes_its_streams_along_and_is_not_answered) {
  Bench b;
  b.give(make_run(1, 1, {.owner = 50, .owner_incarnation = 500}));
  b.give(make_run(2, 1, {.owner = 51, .owner_incarnation = 510}));
  b.out.clear();
  b.core.on_owner_gone({50}, {}, b.now, b.out);
  b.core.check();
  BOOST_TEST(b.out.empty());
  BOOST_TEST(b.core.report(b.now).queued == 1U);
  b.give(make_run(3, 9, {.owner = 50, .owner_incarnation = 500}));  // it was only a partition
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(of_a_restarted_owner_only_the_new_incarnation_is_heard) {
  Bench b;
  b.give(make_run(1, 1, {.owner_incarnation = 500}));
  b.give(make_run(2, 1, {.owner_incarnation = 501}));
  b.core.on_owner_gone({50}, {501}, b.now, b.out);
  b.core.check();
  BOOST_TEST(b.core.report(b.now).queued == 1U);
  b.out.clear();
  b.give(make_run(3, 9, {.owner_incarnation = 500}));
  BOOST_TEST(b.out.empty());
  b.give(make_run(3, 1, {.owner_incarnation = 501}));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(one_request_under_two_routers_is_two_streams) {
  Bench b;
  b.give(make_run(1, 1, {.owner = 50, .owner_incarnation = 500}));
  b.give(make_run(1, 1, {.owner = 51, .owner_incarnation = 510}));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 2U);
  b.core.on_owner_gone({50}, {}, b.now, b.out);
  b.run_dry();
  BOOST_TEST((b.heard(make_run(1)) == undisturbed(*make_run(1).request, 0)));
}

BOOST_AUTO_TEST_CASE(a_draining_batcher_takes_nothing_new) {
  Bench b;
  b.give(make_run(1));
  b.core.set_draining(true);
  b.give(make_run(1));
  b.give(make_run(2));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 2U);
  const auto refused = b.posted<core::RunRefused>();
  BOOST_REQUIRE(refused.size() == 1U);
  BOOST_TEST((refused[0].code == Errc::draining));
  b.run_dry();
  BOOST_TEST(b.heard(make_run(1)).size() == 8U);
  b.core.set_draining(false);
  b.give(make_run(2, 2));
  BOOST_TEST(b.posted<core::RunAccepted>().size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_failed_worker_returns_every_stream_and_forgets_every_block) {
  Bench b({.sequences_max = 1});
  b.give(make_run(1, 1, {.prompt = 40}));
  b.give(make_run(2, 1, {.prompt = 40}));
  b.step();
  const auto late = b.plan();
  b.out.clear();
  b.core.on_worker_failed("it threw", b.now, b.out);
  b.core.check();
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 2U);
  BOOST_TEST((returned[0].code == Errc::unavailable));
  BOOST_TEST(returned[0].reason.find("it threw") != std::string::npos);
  BOOST_TEST(b.core.cached_names().empty());
  BOOST_TEST(b.core.idle());
  BOOST_TEST(!b.core.report(b.now).ready);
  BOOST_TEST(b.core.report(b.now).generation == 1U);
  b.finish(*late);  // of the old generation
  b.out.clear();
  BOOST_TEST(!b.plan().has_value());
  b.give(make_run(3));
  BOOST_REQUIRE(b.posted<core::RunRefused>().size() == 1U);
  BOOST_TEST((b.posted<core::RunRefused>()[0].code == Errc::unavailable));
  b.core.on_worker_ready(b.now, b.out);
  b.worker.crash();
  BOOST_TEST(b.core.report(b.now).generation == 2U);
  const auto again = continued(make_run(1, 1, {.prompt = 40}), 2, 1);
  b.give(again);
  b.run_dry();
  BOOST_TEST(b.heard(again).size() == 7U);
}

BOOST_AUTO_TEST_CASE(a_report_counts_what_is_there) {
  Bench b({.step_tokens_max = 32, .sequences_max = 2}, 20);
  b.give(make_run(1, 1, {.prompt = 20, .family = 1}));
  b.give(make_run(2, 1, {.prompt = 50, .family = 2}));
  b.give(make_run(3, 1, {.prompt = 30, .family = 3}));
  b.step();
  auto r = b.core.report(b.now);
  BOOST_TEST(r.ready);
  BOOST_TEST(r.blocks_total == 20U);
  BOOST_TEST(r.blocks_used == 2U + 4U);  // blocks for the whole prompt
  BOOST_TEST(r.blocks_free == 14U);
  BOOST_TEST(r.streams == 2U);
  BOOST_TEST(r.queued == 1U);
  BOOST_TEST(r.prefill_tokens == (50U - 12U) + 30U);
  BOOST_TEST(r.decode_tokens == 20U + 12U);
  BOOST_TEST(r.tokens_per_second == 1U);
  BOOST_TEST((r.model == core::ModelId{5}));
  BOOST_TEST((r.step_base + r.step_row > 0ns));
  b.now += 2s;
  BOOST_TEST(b.core.report(b.now).tokens_per_second == 0U);
}

BOOST_AUTO_TEST_CASE(names_of_generated_blocks_make_them_findable) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 20, .tokens_max = 40});
  b.give(run);
  for (int i = 0; i < 13; ++i) b.step();  // 20 + 12 rows: two full blocks, the second partly generated
  const auto names = continued(run, 2, 12).choices[0].names;
  BOOST_REQUIRE(names.size() == 1U);
  b.out.clear();
  core::BlockNames message{.key = run.key, .epoch = run.epoch, .choice = 0, .first_block = 1, .names = names};
  b.give(message);
  BOOST_TEST((b.added_names() == names));
  b.out.clear();
  b.give(message);  // again
  message.first_block = 7;
  b.give(message);  // a gap
  message.choice = 3;
  b.give(message);  // no such choice
  BOOST_TEST(b.out.empty());
  b.give(core::CancelRun{.key = run.key, .epoch = run.epoch});
  BOOST_TEST(b.core.cached_names().size() == 2U);
  const auto again = continued(run, 2, 13);
  const auto before = b.worker.rows;
  b.give(again);
  b.step();
  BOOST_TEST(b.worker.rows - before == 1U);  // 32 of 33 rows were found
}

BOOST_AUTO_TEST_CASE(a_name_that_comes_before_its_block_is_full_counts_when_it_fills) {
  Bench b;
  const auto run = continued(make_run(1, 1, {.prompt = 20, .tokens_max = 40}), 1, 12);
  b.give(run);
  b.out.clear();
  b.step();
  BOOST_TEST(b.added_names().size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
