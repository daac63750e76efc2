// The public traces, where they are there: the figures are those that were computed from the same files by other means.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "sim/trace_reader.h"
#include "sim/trace_servegen.h"
#include "sim/workload_scaling.h"
#include "sim/workload_stats.h"
#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

/// Path of `name` in the shared material ($SPILLWAY_SHARED, else ../shared beside the tree); nothing where it is absent.
std::optional<std::string> shared_path(const std::string& name, const std::string& suffix = "") {
  const char* set = std::getenv("SPILLWAY_SHARED");
  const std::filesystem::path root =
      set != nullptr && *set != 0 ? std::filesystem::path(set) : std::filesystem::path(SPILLWAY_SOURCE_DIR) / ".." / "shared";
  const std::filesystem::path path = root / "data" / name;
  std::error_code error;
  if (std::filesystem::exists(path.string() + suffix, error)) return path.string();
  BOOST_TEST_MESSAGE("not here, so not tried: " << name);
  return std::nullopt;
}

struct Figures {
  const char* file;
  TraceFormat format;
  std::uint64_t requests;
  double span_s;    // to a tenth
  double mean_rps;  // to a hundredth
  double peak_1s_rps;
  double peak_60s_rps;   // to a tenth
  double dispersion_1s;  // to `dispersion_digit`
  double dispersion_digit;
  double input[4];  // mean to one, p50, p95, max
  double output[4];
  std::uint64_t blocks;
  std::uint64_t distinct_blocks;
  double hit_percent;  // to a tenth
  friend std::ostream& operator<<(std::ostream& out, const Figures& f) { return out << f.file; }
};

const Figures figures[] = {
    {"traces/azure2023/AzureLLMInferenceTrace_code.csv",
     TraceFormat::azure,
     8819,
     3435.9,
     2.57,
     67,
     10.5,
     13.2,
     0.1,
     {2048, 1469, 7315, 7437},
     {28, 13, 90, 1899},
     0,
     0,
     0},
    {"traces/azure2023/AzureLLMInferenceTrace_conv.csv",
     TraceFormat::azure,
     19'366,
     3501.7,
     5.53,
     16,
     8.5,
     1.39,
     0.01,
     {1155, 1020, 4083, 14'050},
     {211, 129, 451, 1000},
     0,
     0,
     0},
    {"traces/mooncake/conversation_trace.jsonl",
     TraceFormat::mooncake,
     12'031,
     3537,
     3.40,
     -1,
     -1,
     7.9,
     0.1,
     {12'035, 6909, 39'552, 126'195},
     {343, 350, 698, 2000},
     288'500,
     182'790,
     36.6},
};

/// Whether `value` rounds to `want` at this digit.
bool rounds_to(double value, double want, double digit) {
  return std::abs(value - want) <= digit * 0.5 + 1e-9;
}

void check_lengths(const LengthStats& lengths, const double (&want)[4]) {
  BOOST_TEST(rounds_to(lengths.mean, want[0], 1), lengths.mean);
  BOOST_TEST(lengths.p50 == want[1]);
  BOOST_TEST(lengths.p95 == want[2]);
  BOOST_TEST(lengths.max == want[3]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(workload_shared)

BOOST_DATA_TEST_CASE(statistics_are_those_of_the_traces, bdata::make(figures), f) {
  const auto path = shared_path(f.file);
  if (!path) return;
  const auto loaded = load_trace(*path, f.format);
  BOOST_REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  check_normal_form(loaded->workload);
  const auto stats = stats_of(loaded->workload);
  BOOST_TEST(stats.requests == f.requests);
  BOOST_TEST(rounds_to(stats.span_s, f.span_s, 0.1), stats.span_s);
  BOOST_TEST(rounds_to(stats.mean_rps, f.mean_rps, 0.01), stats.mean_rps);
  if (f.peak_1s_rps > 0) BOOST_TEST(stats.peak_1s_rps == f.peak_1s_rps);
  if (f.peak_60s_rps > 0) BOOST_TEST(rounds_to(stats.peak_60s_rps, f.peak_60s_rps, 0.1), stats.peak_60s_rps);
  BOOST_TEST(rounds_to(stats.dispersion_1s, f.dispersion_1s, f.dispersion_digit), stats.dispersion_1s);
  check_lengths(stats.input, f.input);
  check_lengths(stats.output, f.output);
  BOOST_TEST(stats.blocks == f.blocks);
  BOOST_TEST(stats.distinct_blocks == f.distinct_blocks);
  BOOST_TEST(rounds_to(stats.prefix_hit_ceiling * 100, f.hit_percent, 0.1), stats.prefix_hit_ceiling);
  BOOST_TEST_MESSAGE(f.file << ": " << stats.requests << " requests, dispersion " << stats.dispersion_1s << ", hits " << stats.hit_blocks);
}

BOOST_AUTO_TEST_CASE(spread_stamps_lose_the_dispersion_of_their_slots) {
  const auto path = shared_path("traces/mooncake/conversation_trace.jsonl");
  if (!path) return;
  const auto source = load_trace(*path, TraceFormat::mooncake).value().workload;
  const auto before = stats_of(source);
  const auto after = stats_of(spread(source, 3000, 1).value().workload);
  BOOST_TEST(after.dispersion_1s < before.dispersion_1s / 3, after.dispersion_1s);
  BOOST_TEST(after.requests == before.requests);
  BOOST_TEST(after.hit_blocks == before.hit_blocks);
}

BOOST_AUTO_TEST_CASE(the_validation_workload_has_full_blocks_alone) {
  const auto path = shared_path("profiles/llmservingsim/sharegpt-300-sps10-lengths-hashes.jsonl");
  if (!path) return;
  const auto loaded = load_trace(*path, TraceFormat::vllm);
  BOOST_REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  const auto& requests = loaded->workload.requests;
  BOOST_TEST(requests.size() == 300U);
  BOOST_TEST(requests[0].arrival_ns == 46'926'808);
  BOOST_TEST(requests[0].input_tokens == 2358U);
  BOOST_TEST(requests[0].output_tokens == 531U);
  BOOST_TEST(requests[0].block_count == 147U);
}

BOOST_AUTO_TEST_CASE(clients_of_servegen_are_sampled_at_their_rates) {
  struct Case {
    std::string name;
    std::uint64_t clients;   // with a rate in the window that begins at ten o'clock
    std::uint64_t requests;  // their rates times 600 s, each rounded
    const char* share;       // of the rate of all clients
  };
  const Case cases[] = {{"m-small", 10, 240'281, "38.6 %"},
                        {"m-large", 7, 22'723, "11.9 %"},
                        {"deepseek-r1", 15, 7875, "94.9 %"},
                        {"mm-image", 12, 7850, "98.5 %"}};
  for (const auto& [name, clients, requests, share] : cases) {
    const auto prefix = shared_path("traces/servegen/" + name, "-total-rate.csv");
    if (!prefix) continue;
    ServeGenOptions options{.seed = 1, .start_s = 36'000, .duration_s = 600, .arrivals = ServeGenArrivals::counted};
    const auto counted = load_servegen(*prefix, options);
    BOOST_REQUIRE_MESSAGE(counted.has_value(), counted.error().message);
    options.arrivals = ServeGenArrivals::fitted;
    const auto fitted = load_servegen(*prefix, options);
    BOOST_REQUIRE_MESSAGE(fitted.has_value(), fitted.error().message);
    const auto stats = stats_of(counted->workload);
    BOOST_TEST_MESSAGE(name << ": " << stats.requests << " requests counted, " << fitted->workload.requests.size() << " fitted, "
                            << stats.tenants << " clients, input mean " << stats.input.mean << "; " << counted->notes.at(0));
    BOOST_TEST(stats.tenants == clients);
    BOOST_TEST(stats.requests == requests);
    BOOST_TEST((counted->notes.at(0).find(share) != std::string::npos), counted->notes.at(0));
  }
}

BOOST_AUTO_TEST_SUITE_END()
