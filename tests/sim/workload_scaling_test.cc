#include "sim/workload_scaling.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "sim/workload_stats.h"
#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;

namespace {

constexpr std::uint64_t seeds = 200;

std::vector<std::uint32_t> inputs_of(const Workload& workload) {
  std::vector<std::uint32_t> inputs;
  for (const auto& request : workload.requests) inputs.push_back(request.input_tokens);
  return inputs;
}

std::string message_of(const core::Result<ScaledWorkload>& result) {
  return result ? "no error" : result.error().message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(workload_scaling)

BOOST_AUTO_TEST_CASE(thinning_keeps_the_order_and_about_its_share) {
  const auto source = sample_workload(1, 1000);
  constexpr double keep = 0.3;
  std::uint64_t all = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto thinned = thin(source, keep, seed).value().workload;
    check_normal_form(thinned);
    const auto inputs = inputs_of(thinned);
    BOOST_TEST(std::is_sorted(inputs.begin(), inputs.end()));  // the sample's inputs rise
    // The count is binomial. Hoeffding: P(|count - np| >= t) <= 2 exp(-2 t^2 / n), for t = 110: below 1e-10.
    BOOST_TEST(std::abs(static_cast<double>(inputs.size()) - 300) < 110, inputs.size());
    all += inputs.size();
  }
  // All seeds together, by the same bound with n = 200,000 and t = 1,500: below 1e-9. A share of 0.29 or 0.31 would not pass.
  BOOST_TEST(std::abs(static_cast<double>(all) - 60'000) < 1500, all);
}

BOOST_AUTO_TEST_CASE(thinning_less_keeps_what_thinning_more_keeps) {
  const auto source = sample_workload(2, 500);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto few = inputs_of(thin(source, 0.2, seed).value().workload);
    const auto many = inputs_of(thin(source, 0.6, seed).value().workload);
    BOOST_TEST(std::includes(many.begin(), many.end(), few.begin(), few.end()));
    BOOST_TEST(few.size() < many.size());
    BOOST_TEST((inputs_of(thin(source, 0.2, seed + 1000).value().workload) != few));
  }
  BOOST_TEST((thin(source, 1, 5).value().workload == source));
}

BOOST_AUTO_TEST_CASE(thinning_ties_a_request_to_the_nearest_ancestor_that_is_left) {
  WorkloadBuilder builder;
  std::uint32_t last = no_parent;
  for (std::uint32_t i = 0; i < 400; ++i) {
    DraftRequest request;
    request.arrival_ns = i;
    request.input_tokens = i + 1;
    request.session = 1;
    request.parent = last;
    request.supersedes = last != no_parent;
    last = builder.add(request);
  }
  const auto scaled = thin(builder.finish().value(), 0.5, 3).value();
  const auto& requests = scaled.workload.requests;
  BOOST_REQUIRE(requests.size() > 100U);
  BOOST_TEST(requests[0].parent == no_parent);
  BOOST_TEST(!requests[0].supersedes);
  for (std::uint32_t i = 1; i < requests.size(); ++i) {
    BOOST_TEST(requests[i].parent == i - 1);
    BOOST_TEST(requests[i].supersedes);
  }
  BOOST_TEST((scaled.note.text.find("thinned: each request kept with probability 0.5 (seed 3), " + std::to_string(requests.size()) +
                                    " of 400 left") == 0),
             scaled.note.text);
}

BOOST_AUTO_TEST_CASE(superposing_multiplies) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto source = sample_workload(seed, 120);
    const auto copies = static_cast<std::uint32_t>(1 + seed % 5);
    const auto scaled = superpose(source, copies, seed).value();
    const auto& made = scaled.workload;
    check_normal_form(made);
    BOOST_TEST(made.requests.size() == copies * source.requests.size());
    BOOST_TEST(made.distinct_blocks == copies * source.distinct_blocks);
    BOOST_TEST(made.blocks.size() == copies * source.blocks.size());
    BOOST_TEST(made.sessions >= copies * source.sessions);
    BOOST_TEST(made.sessions <= 2 * copies * source.sessions);
    BOOST_TEST(made.requests.front().arrival_ns >= source.requests.front().arrival_ns);
    BOOST_TEST(made.requests.back().arrival_ns <= source.requests.back().arrival_ns);
    auto inputs = inputs_of(made);
    std::sort(inputs.begin(), inputs.end());
    bool each_as_often = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) each_as_often = each_as_often && inputs[i] == 1 + i / copies;
    BOOST_TEST(each_as_often);
    if (copies == 1) BOOST_TEST((made == source));
  }
}

BOOST_AUTO_TEST_CASE(copies_share_no_block_and_no_session) {
  // Every request with the same two blocks and in one session: in k copies each block number has requests of one copy alone.
  WorkloadBuilder builder;
  const std::vector<std::uint64_t> blocks = {1, 2};
  for (std::uint32_t i = 0; i < 50; ++i) {
    DraftRequest request;
    request.arrival_ns = i * 1'000'000'000LL;
    request.input_tokens = 40;
    request.session = 1;
    request.blocks = blocks;
    request.block_tokens = 16;
    builder.add(request);
  }
  const auto source = builder.finish().value();
  const auto made = superpose(source, 4, 7).value().workload;
  std::vector<std::uint64_t> uses(8, 0);
  std::vector<std::set<std::uint32_t>> sessions(8);
  BOOST_REQUIRE(made.distinct_blocks == 8U);
  for (const auto& request : made.requests) {
    for (const auto block : made.blocks_of(request)) {
      ++uses[block];
      sessions[block].insert(request.session);
    }
  }
  for (const auto count : uses) BOOST_TEST(count == 50U);
  for (const auto& of_block : sessions) BOOST_TEST(of_block.size() <= 2U);  // cut once where the copy was shifted over the end
  BOOST_TEST(made.sessions == 7U);
  BOOST_TEST(!(superpose(source, 4, 8).value().workload == made));
}

BOOST_AUTO_TEST_CASE(stretching_changes_time_alone) {
  const auto source = sample_workload(4, 400);
  const auto scaled = stretch(source, 4).value();
  check_normal_form(scaled.workload);
  const auto before = stats_of(source);
  const auto after = stats_of(scaled.workload);
  BOOST_TEST(after.span_s == before.span_s * 4, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(after.mean_rps == before.mean_rps / 4, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(after.hit_blocks == before.hit_blocks);
  for (std::size_t i = 0; i < source.requests.size(); ++i) {
    BOOST_TEST(scaled.workload.requests[i].think_ns == source.requests[i].think_ns * 4);
    BOOST_TEST(scaled.workload.requests[i].deadline_ns == source.requests[i].deadline_ns);
  }
  BOOST_TEST((stretch(scaled.workload, 0.25).value().workload == source));
  BOOST_TEST((scaled.note.text.find("stretched: time by 4, so the rate by 0.25") == 0), scaled.note.text);
}

BOOST_AUTO_TEST_CASE(spreading_stays_in_the_slot_and_in_order) {
  WorkloadBuilder builder;
  for (std::uint32_t i = 0; i < 900; ++i) {
    DraftRequest request;
    request.arrival_ns = i / 30 * 3'000'000'000LL;  // thirty requests at each stamp
    request.input_tokens = i + 1;
    builder.add(request);
  }
  const auto source = builder.finish().value();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto made = spread(source, 3000, seed).value().workload;
    check_normal_form(made);
    bool in_slot = true;
    for (std::uint32_t i = 0; i < 900; ++i) {
      const auto& request = made.requests[i];
      in_slot = in_slot && request.input_tokens == i + 1 && request.arrival_ns >= i / 30 * 3'000'000'000LL &&
                request.arrival_ns < (i / 30 + 1) * 3'000'000'000LL;
    }
    BOOST_TEST(in_slot);
    BOOST_TEST(stats_of(source).dispersion_1s > 15);
    BOOST_TEST(stats_of(made).dispersion_1s < 2);
    BOOST_TEST(!(spread(source, 3000, seed + 100).value().workload == made));
  }
  // A slot longer than the gap ends at the next stamp.
  const auto wide = spread(source, 60'000, 1).value().workload;
  BOOST_TEST(inputs_of(wide) == inputs_of(source), boost::test_tools::per_element());
  BOOST_TEST(wide.requests[29].arrival_ns < 3'000'000'000LL);
  BOOST_TEST(wide.requests[899].arrival_ns > 29 * 3'000'000'000LL + 30'000'000'000LL);  // the last stamp has no next
}

BOOST_AUTO_TEST_CASE(the_first_requests_alone) {
  const auto source = sample_workload(5, 100);
  const auto cut = first_requests(source, 40);
  check_normal_form(cut.workload);
  BOOST_TEST(cut.workload.requests.size() == 40U);
  BOOST_TEST(cut.workload.requests.back().input_tokens == 40U);
  BOOST_TEST(cut.note.text == "cut: the first 40 of 100 requests");
  BOOST_TEST((first_requests(source, 1000).workload == source));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
  const auto source = sample_workload(6, 10);
  BOOST_TEST(message_of(thin(source, 0, 1)) == "cannot thin by 0: want above 0 and at most 1");
  BOOST_TEST(message_of(thin(source, 1.5, 1)) == "cannot thin by 1.5: want above 0 and at most 1");
  BOOST_TEST(message_of(thin(source, std::nan(""), 1)) == "cannot thin by nan: want above 0 and at most 1");
  BOOST_TEST(message_of(superpose(source, 0, 1)) == "cannot superpose 0 copies: want 1 to 1000");
  BOOST_TEST(message_of(stretch(source, 0)) == "cannot stretch by 0: want 0.000001 to 1000000");
  BOOST_TEST(message_of(spread(source, 0, 1)) == "cannot spread over 0 ms: want 1 to 86400000");
  auto late = source;
  late.requests.back().arrival_ns = workload_time_ns_max / 2;
  BOOST_TEST(message_of(stretch(late, 3)) == "cannot stretch by 3: want arrivals within 36 years");
}

BOOST_AUTO_TEST_SUITE_END()
