#include "sim/workload_stats.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

Workload with_arrivals(const std::vector<std::int64_t>& arrivals_ms) {
  WorkloadBuilder builder;
  for (const auto arrival : arrivals_ms) {
    DraftRequest request;
    request.arrival_ns = arrival * 1'000'000;
    request.input_tokens = 1;
    builder.add(request);
  }
  return builder.finish().value();
}

struct RateCase {
  const char* name;  // the rule
  std::vector<std::int64_t> arrivals_ms;
  double span_s;
  double mean_rps;
  double peak_1s_rps;
  double peak_60s_rps;
  double dispersion_1s;
  friend std::ostream& operator<<(std::ostream& out, const RateCase& c) { return out << c.name; }
};

const RateCase rate_cases[] = {
    {"one request has no rate", {5000}, 0, 0, 1, 1.0 / 60, 0},
    {"evenly spaced: no dispersion", {0, 1000, 2000, 3000}, 3, 4.0 / 3, 1, 4.0 / 60, 0},
    {"windows begin at the first arrival", {700, 1600, 1750}, 1.05, 3 / 1.05, 2, 3.0 / 60, 0.25 / 1.5},
    {"all in the first of four seconds but one", {0, 1, 2, 3, 4, 3500}, 3.5, 6 / 3.5, 5, 6.0 / 60, (26.0 / 4 - 2.25) / 1.5},
    {"minutes are windows too",
     {0, 59'999, 60'000, 60'001, 60'002},
     60.002,
     5 / 60.002,
     3,
     3.0 / 60,
     (11.0 / 61 - 25.0 / 3721) / (5.0 / 61)},
};

struct BlockCase {
  const char* name;  // the rule
  std::vector<std::vector<std::uint64_t>> blocks;
  std::uint64_t distinct;
  std::uint64_t hits;
  friend std::ostream& operator<<(std::ostream& out, const BlockCase& c) { return out << c.name; }
};

const BlockCase block_cases[] = {
    {"nothing is shared with the first", {{1, 2, 3}}, 3, 0},
    {"a leading run is hit", {{1, 2, 3}, {1, 2, 4}}, 4, 2},
    {"a block behind a miss is none", {{1, 2, 3}, {9, 2, 3}}, 4, 0},
    {"a block twice in one request is no hit", {{1, 1}}, 1, 0},
    {"no blocks, no hits", {{}, {}}, 0, 0},
    {"from any earlier request", {{1, 2}, {5}, {1, 2, 5}, {5}}, 3, 4},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(workload_stats)

BOOST_DATA_TEST_CASE(rates_are_counted_in_windows, bdata::make(rate_cases), c) {
  const auto stats = stats_of(with_arrivals(c.arrivals_ms));
  const auto near = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(stats.requests == c.arrivals_ms.size());
  BOOST_TEST(stats.span_s == c.span_s, near);
  BOOST_TEST(stats.mean_rps == c.mean_rps, near);
  BOOST_TEST(stats.peak_1s_rps == c.peak_1s_rps, near);
  BOOST_TEST(stats.peak_60s_rps == c.peak_60s_rps, near);
  BOOST_TEST(stats.dispersion_1s == c.dispersion_1s, near);
}

BOOST_DATA_TEST_CASE(an_infinite_cache_hits_leading_runs, bdata::make(block_cases), c) {
  WorkloadBuilder builder;
  for (const auto& blocks : c.blocks) {
    DraftRequest request;
    request.input_tokens = 100;
    request.block_tokens = 16;
    request.blocks = blocks;
    builder.add(request);
  }
  const auto stats = stats_of(builder.finish().value());
  BOOST_TEST(stats.distinct_blocks == c.distinct);
  BOOST_TEST(stats.hit_blocks == c.hits);
  const double ceiling = stats.blocks == 0 ? 0 : static_cast<double>(c.hits) / static_cast<double>(stats.blocks);
  BOOST_TEST(stats.prefix_hit_ceiling == ceiling);
}

BOOST_AUTO_TEST_CASE(lengths_and_kinds_are_counted) {
  WorkloadBuilder builder;
  std::uint32_t last = no_parent;
  for (std::uint32_t i = 1; i <= 200; ++i) {
    DraftRequest request;
    request.arrival_ns = i;
    request.input_tokens = 201 - i;
    request.output_tokens = i == 200 ? 5000 : 7;
    request.service_class = i <= 20 ? core::ServiceClass::live : i <= 50 ? core::ServiceClass::batch : core::ServiceClass::interactive;
    request.deadline_ns = i <= 20 ? 3 : 0;
    request.session = i <= 10 ? 1 : 0;
    request.parent = i > 1 && i <= 10 ? last : no_parent;
    request.supersedes = i == 5;
    last = builder.add(request);
  }
  const auto stats = stats_of(builder.finish().value());
  BOOST_TEST(stats.input.mean == 100.5);
  BOOST_TEST(stats.input.p50 == 101U);
  BOOST_TEST(stats.input.p95 == 191U);
  BOOST_TEST(stats.input.max == 200U);
  BOOST_TEST(stats.output.p95 == 7U);
  BOOST_TEST(stats.output.max == 5000U);
  BOOST_TEST(stats.by_class[0] == 20U);
  BOOST_TEST(stats.by_class[1] == 150U);
  BOOST_TEST(stats.by_class[2] == 30U);
  BOOST_TEST(stats.with_deadline == 20U);
  BOOST_TEST(stats.sessions == 1U);
  BOOST_TEST(stats.continued == 9U);
  BOOST_TEST(stats.superseding == 1U);
}

BOOST_AUTO_TEST_CASE(an_empty_workload_is_all_zero) {
  const auto stats = stats_of({});
  BOOST_TEST(stats.requests == 0U);
  BOOST_TEST(stats.mean_rps == 0);
  BOOST_TEST(stats.dispersion_1s == 0);
}

BOOST_AUTO_TEST_SUITE_END()
