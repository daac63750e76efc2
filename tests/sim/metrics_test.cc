#include "sim/metrics.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "tests/sim/sample_run.h"

using namespace spillway;
using namespace spillway::sim;
using test::record_of;

namespace {

constexpr std::int64_t ms = 1'000'000;

double figure(const RunMetrics& metrics, const char* key) {
  return metric_definition(key).value(metrics);
}

/// Five requests over ten seconds, worked out by hand.
Run by_hand() {
  Run run;
  run.slos[1] = {200 * ms, 20 * ms, 0};
  run.records.push_back(record_of(0, 0, 100, 300, 11));     // TTFT 100, TPOT 20: good, just so
  run.records.push_back(record_of(1000, 2, 300, 300, 1));   // TTFT 300: too late; one token has no TPOT
  run.records.push_back(record_of(2000, 4, 100, 400, 11));  // TPOT 30: too slow
  run.records.push_back(record_of(3000, 0, -1, 5, 0, RequestOutcome::refused));
  run.records.push_back(record_of(4000, 4, 200, 6000, 3, RequestOutcome::failed));
  run.end_ns = 10'004 * ms;
  return run;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(times_are_those_of_vllm_and_of_finished_requests_alone) {
  const auto m = measure(by_hand(), {});
  BOOST_TEST(m.all.requests == 5U);
  BOOST_TEST(figure(m, "completed") == 3);
  BOOST_TEST(figure(m, "refused") == 1);
  BOOST_TEST(figure(m, "failed") == 1);
  BOOST_TEST(m.all.latency.ttft_ms.mean == (100.0 + 300 + 100) / 3);
  BOOST_TEST(m.all.latency.ttft_ms.p50 == 100);
  BOOST_TEST(m.all.latency.tpot_ms.mean == 25);  // of 20 and 30
  BOOST_TEST(m.all.latency.e2e_ms.p50 == 300);
  BOOST_TEST(m.all.ttft_ns.count() == 3U);
  BOOST_TEST(m.all.tpot_ns.count() == 2U);
  BOOST_TEST(m.all.output_tokens == 23U);  // what a failed one delivered is not counted
  BOOST_TEST(m.span_s == 10.004, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(!m.itl_known);
  BOOST_TEST(std::isnan(figure(m, "itl_ms_p99")));
  BOOST_TEST(std::isnan(figure(m, "captions_on_time_percent")));
}

BOOST_AUTO_TEST_CASE(failures_and_missed_objectives_count_against_goodput) {
  const auto run = by_hand();
  const auto m = measure(run, {});
  BOOST_TEST(m.all.good == 1U);
  BOOST_TEST(figure(m, "goodput_rps") == 1 / 10.004, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(figure(m, "good_percent") == 20);
  BOOST_TEST(is_good(run.records[1], run.slos, 1.5));
  BOOST_TEST(!is_good(run.records[1], run.slos, 1.49));
  BOOST_TEST(is_good(run.records[2], run.slos, 1.5));
  BOOST_TEST(!is_good(run.records[4], run.slos, 100));
}

BOOST_AUTO_TEST_CASE(without_objectives_all_that_finish_are_good) {
  auto run = by_hand();
  run.slos = {};
  BOOST_TEST(measure(run, {}).all.good == 3U);
}

BOOST_AUTO_TEST_CASE(captions_are_live_requests_with_a_deadline_and_late_ones_are_not_good) {
  Run run;
  const auto caption = [&run](std::int64_t lag, std::int64_t end, RequestOutcome outcome) {
    auto r = record_of(0, lag, 10, end, 5, outcome);
    r.deadline_ns = 3000 * ms;
    r.service_class = core::ServiceClass::live;
    run.records.push_back(r);
  };
  caption(0, 3000, RequestOutcome::finished);  // just so
  caption(1, 3000, RequestOutcome::finished);  // late by the lag: the deadline counts from the arrival
  caption(0, 500, RequestOutcome::superseded);
  caption(0, 3001, RequestOutcome::expired);
  run.records.push_back(record_of(0, 0, 10, 9000, 5));  // no caption
  const auto m = measure(run, {});
  BOOST_TEST(figure(m, "captions_on_time_percent") == 25);
  BOOST_TEST(figure(m, "deadlines_met_percent") == 25);
  BOOST_TEST(m.all.good == 2U);
  BOOST_TEST(m.by_class[0].good == 1U);
  BOOST_TEST(figure(m, "superseded") == 1);
}

BOOST_AUTO_TEST_CASE(the_warm_up_is_cut_by_arrival) {
  auto run = by_hand();
  run.start_ns = 500 * ms;
  for (auto& r : run.records) {
    for (auto* time : {&r.arrival_ns, &r.sent_ns, &r.first_token_ns, &r.end_ns}) *time += *time == never_ns ? 0 : run.start_ns;
  }
  const auto m = measure(run, {.warm_up_ns = 2000 * ms});
  BOOST_TEST(m.cut == 2U);
  BOOST_TEST(m.all.requests == 3U);
  BOOST_TEST(m.span_s == 8.004, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(m.send_lag_max_ms == 4);
}

BOOST_AUTO_TEST_CASE(a_sender_that_is_late_makes_the_run_invalid) {
  Run run;
  for (int i = 0; i < 101; ++i) run.records.push_back(record_of(i, i < 99 ? 0 : 10, 1, 2, 2));
  BOOST_TEST(measure(run, {}).valid);
  BOOST_TEST(measure(run, {}).send_lag_ms.p99 == 10);
  run.records[0] = record_of(0, 11, 1, 2, 2);
  run.records[1] = record_of(1, 11, 1, 2, 2);
  const auto m = measure(run, {});
  BOOST_TEST(!m.valid);
  BOOST_TEST(m.send_lag_ms.p99 > 10);
  BOOST_TEST(to_table(run, m).find("INVALID: the P99 send lag of 11 ms") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(outcomes_and_classes_sum_to_the_requests) {
  std::array<std::uint64_t, outcome_count> seen{};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto run = test::sample_run(seed, "sample");
    const auto m = measure(run, {.warm_up_ns = 5000 * ms});
    std::uint64_t sum = 0;
    for (const auto count : m.all.outcomes) sum += count;
    BOOST_TEST(sum == m.all.requests);
    BOOST_TEST(sum + m.cut == run.records.size());
    BOOST_TEST(m.by_class[0].requests + m.by_class[1].requests + m.by_class[2].requests == sum);
    BOOST_TEST(m.by_class[0].good + m.by_class[1].good + m.by_class[2].good == m.all.good);
    for (std::size_t i = 0; i < outcome_count; ++i) seen[i] += m.all.outcomes[i];
  }
  for (const auto count : seen) BOOST_TEST(count > 20U);
}

BOOST_AUTO_TEST_CASE(bytes_are_counted_once_whether_samples_are_of_nodes_or_of_the_cluster) {
  auto run = test::sample_run(1, "sample");
  const auto whole = measure(run, {}).moved_bytes;
  BOOST_TEST(whole > 0U);
  std::erase_if(run.series, [](const auto& s) { return s.node == whole_cluster; });
  BOOST_TEST(measure(run, {}).moved_bytes == whole);
}

BOOST_AUTO_TEST_CASE(every_figure_has_a_formula_and_a_key_of_its_own) {
  std::set<std::string> keys;
  for (const auto& d : metric_definitions()) {
    BOOST_TEST(keys.insert(d.key).second, d.key);
    BOOST_TEST(std::string(d.formula) != "", d.key);
  }
  BOOST_TEST(keys.size() > 30U);
}

BOOST_AUTO_TEST_CASE(two_runs_stand_side_by_side_with_their_difference) {
  const auto first = measure(by_hand(), {});
  auto run = by_hand();
  run.records[1].first_token_ns += 50 * ms;  // a mean of 166.7 becomes one of 183.3
  run.records[1].end_ns += 50 * ms;
  const auto table = to_table(first, measure(run, {}), "measured", "predicted");
  BOOST_TEST(table.find("TTFT mean             ms                   167         183      10.0 %\n") != std::string::npos, table);
  BOOST_TEST(table.find("captions") == std::string::npos, table);  // neither has any
}

BOOST_AUTO_TEST_CASE(json_holds_what_scripts_read) {
  const auto run = test::sample_run(1, "sample");
  const auto m = measure(run, {});
  const auto value = boost::json::parse(to_json(run, m)).as_object();
  for (const char* key :
       {"requests", "completed", "refused", "expired", "cancelled", "superseded", "failed", "prompt_tokens", "output_tokens", "moves"})
    BOOST_TEST(value.at(key).is_int64(), key);
  for (const char* key : {"ttft_ms", "tpot_ms", "itl_ms", "e2e_ms", "send_lag_ms"}) {
    for (const char* part : {"mean", "p50", "p90", "p99"}) BOOST_TEST(value.at(key).at(part).is_double(), key);
  }
  BOOST_TEST(value.at("goodput_rps").as_double() == static_cast<double>(m.all.good) / m.span_s);
  BOOST_TEST(value.at("valid").as_bool());
  BOOST_TEST(value.at("rungs").at("shorter:64").as_int64() > 0);
  BOOST_TEST(value.at("formulas").at("tpot_ms_p50").as_string().find("(output tokens - 1)") != std::string::npos);
  BOOST_TEST(value.at("classes").as_object().size() == 3U);
  BOOST_TEST(value.at("objectives").at("live").at("ttft_ms").as_double() == 600);
}

BOOST_AUTO_TEST_SUITE_END()
