#include "sim/sweep.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "tests/sim/sweep_input.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;

namespace {

std::vector<SweepFigures> all_of(const Sweep& sweep) {
  std::vector<SweepFigures> figures;
  for (std::size_t job = 0; job < sweep.jobs(); ++job) {
    const auto done = sweep.run(job);
    BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
    figures.push_back(*done);
  }
  return figures;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep)

BOOST_AUTO_TEST_CASE(an_interval_is_that_of_student) {
  const double values[] = {1, 2, 3, 4, 5};
  const auto interval = interval_of(values);
  BOOST_TEST(interval.mean == 3);
  BOOST_TEST(std::abs(interval.high - interval.mean - 2.776 * std::sqrt(2.5 / 5)) < 1e-12);
  BOOST_TEST(std::abs(interval.mean - interval.low - 2.776 * std::sqrt(2.5 / 5)) < 1e-12);
  const double one[] = {7, NAN};
  BOOST_TEST(interval_of(one).low == 7);
  BOOST_TEST(interval_of(one).high == 7);
  BOOST_TEST(std::isnan(interval_of(std::span<const double>{}).mean));
}

BOOST_AUTO_TEST_CASE(a_burst_multiplies_what_lies_in_it_alone) {
  const auto workload = steady(50, 6, 3);
  const Burst burst{2'000'000'000, 1'000'000'000};
  const auto count = [&](const Workload& of, bool inside) {
    return std::count_if(of.requests.begin(), of.requests.end(), [&](const WorkloadRequest& r) {
      return (r.arrival_ns >= burst.from_ns && r.arrival_ns < burst.from_ns + burst.length_ns) == inside;
    });
  };
  const auto tenfold = with_burst(workload, burst, 10, 1);
  BOOST_REQUIRE(tenfold.has_value());
  BOOST_TEST(count(workload, true) > 20);
  BOOST_TEST(count(*tenfold, true) == 10 * count(workload, true));
  BOOST_TEST(count(*tenfold, false) == count(workload, false));
  BOOST_TEST((*with_burst(workload, burst, 1, 1) == workload));
  BOOST_TEST((*with_burst(workload, burst, 10, 1) == *tenfold));
  BOOST_TEST(!with_burst(workload, {0, 0}, 2, 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_burst_keeps_sessions_and_blocks_of_a_copy_apart) {
  WorkloadBuilder builder;
  const std::uint64_t blocks[] = {7, 8};
  std::uint32_t parent = no_parent;
  for (int i = 0; i < 6; ++i) {
    DraftRequest request;
    request.arrival_ns = i * 1'000'000'000LL;
    request.input_tokens = 32;
    request.session = 5;
    request.parent = parent;
    request.supersedes = parent != no_parent;
    request.block_tokens = 16;
    request.blocks = blocks;
    parent = builder.add(request);
  }
  const auto workload = *builder.finish();
  const auto twice = with_burst(workload, {1'000'000'000, 3'000'000'000}, 2, 4);
  BOOST_REQUIRE(twice.has_value());
  BOOST_TEST(twice->requests.size() == 9U);
  BOOST_TEST(twice->distinct_blocks == 4U);
  BOOST_TEST(twice->sessions >= 2U);
  for (std::uint32_t i = 0; i < twice->requests.size(); ++i) {
    const auto& request = twice->requests[i];
    if (request.parent == no_parent) {
      BOOST_TEST(!request.supersedes);
      continue;
    }
    BOOST_TEST(request.parent < i);
    BOOST_TEST(twice->requests[request.parent].session == request.session);
    BOOST_TEST(twice->blocks_of(twice->requests[request.parent])[0] == twice->blocks_of(request)[0]);
  }
}

BOOST_AUTO_TEST_CASE(copies_of_nodes_work_and_route_nothing) {
  EqualNodes equal;
  equal.nodes = 3;
  const auto plan = plan_of(equal);
  for (const std::uint32_t count : {1U, 2U, 3U, 8U}) {
    const auto sized = with_nodes(plan, count);
    BOOST_REQUIRE(sized.nodes.size() == count);
    BOOST_TEST(sized.nodes[0].router());
    std::set<core::NodeId> ids;
    for (const auto& node : sized.nodes) {
      ids.insert(node.id);
      BOOST_TEST(!node.replicas.empty());
    }
    BOOST_TEST(ids.size() == count);
    BOOST_TEST(std::count_if(sized.nodes.begin(), sized.nodes.end(), [](const auto& n) { return n.router(); }) == 1);
  }
}

BOOST_AUTO_TEST_CASE(more_nodes_and_less_load_do_better_and_all_seeds_see_the_same) {
  SweepAxes axes{{1, 4}, {core::PlacementPolicy::additive, core::PlacementPolicy::round_robin}, {1, 3}, {1, 10}, 3, 1};
  const auto made = Sweep::make(input_of(10, 6), axes);
  BOOST_REQUIRE(made.has_value());
  BOOST_TEST(made->jobs() == 48U);
  const auto figures = all_of(*made);
  const auto cells = made->cells(figures);
  BOOST_REQUIRE(cells.size() == 16U);
  const auto good = [&](const SweepPoint& point) {
    const auto at = std::find_if(cells.begin(), cells.end(), [&](const SweepCell& c) { return c.point == point; });
    BOOST_REQUIRE((at != cells.end()));
    return at->interval(&SweepFigures::good_share).mean;
  };
  const auto additive = core::PlacementPolicy::additive;
  BOOST_TEST(good({4, additive, 1, 1}) > 0.99);
  BOOST_TEST(good({1, additive, 3, 10}) < good({4, additive, 3, 10}));
  BOOST_TEST(good({1, additive, 1, 10}) < good({1, additive, 1, 1}));
  // A run is a function of its number, whatever ran before.
  const auto again = made->run(17);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->ttft_p99_ms == figures[17].ttft_p99_ms);
  BOOST_TEST(again->goodput_rps == figures[17].goodput_rps);

  const auto differences = policy_differences(cells, axes);
  BOOST_TEST(differences.size() == 8 * sweep_figures().size());
  const auto csv = sweep_csv(cells);
  BOOST_TEST(std::count(csv.begin(), csv.end(), '\n') == 17);
  BOOST_TEST(sweep_csv(made->cells(figures)) == csv);
  const auto page = to_html(sweep_page(cells, axes, {"a note"}));
  BOOST_TEST(page.find("round_robin") != std::string::npos);
  BOOST_TEST(page.find("a note") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_axes_are_named) {
  const auto says = [](SweepAxes axes, const char* text) {
    const auto made = Sweep::make(input_of(1, 1), std::move(axes));
    return !made && made.error().message.find(text) != std::string::npos;
  };
  const auto additive = core::PlacementPolicy::additive;
  BOOST_TEST(says({{}, {additive}, {1}, {1}, 1, 1}, "no values"));
  BOOST_TEST(says({{0}, {additive}, {1}, {1}, 1, 1}, "0 nodes"));
  BOOST_TEST(says({{1}, {additive}, {0}, {1}, 1, 1}, "rate 0"));
  BOOST_TEST(says({{1}, {additive}, {1}, {0}, 1, 1}, "burst 0"));
  BOOST_TEST(says({{1}, {additive}, {1}, {1}, 200'000, 1}, "at most 100000"));
}

BOOST_AUTO_TEST_SUITE_END()
