#include "sim/trace_servegen.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

const std::string totals = "t_s,rate_rps,active_clients\n0,40,2\n600,40,2\n";
const std::string rates_head = "client,t_s,rate_rps,cv,pattern,arg1,arg2\n";
const std::string quantiles_head = "client,t_s,field,mean,min,q0.1,q1,q5,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95,q99,q99.9,max\n";
const std::string ramp = "0,10,20,30,40,50,60,70,80,90,100,110,120,130,140,150,160\n";  // 80 in the middle
const std::string quantiles = quantiles_head + "3,0,input_tokens,80," + ramp + "3,0,output_tokens,5," +
                              "5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5\n3,600,input_tokens,900," +
                              "900,900,900,900,900,900,900,900,900,900,900,900,900,900,900,900,900\n";

struct Files {
  explicit Files(const std::string& rates, const std::string& lengths = quantiles, const std::string& all = totals) {
    folder.write("m-x-total-rate.csv", all);
    folder.write("m-x-client-rates.csv", rates);
    folder.write("m-x-client-quantiles.csv", lengths);
  }
  core::Result<LoadedWorkload> load(const ServeGenOptions& options) const { return load_servegen(folder.file("m-x"), options); }
  TestFolder folder;
};

constexpr std::uint64_t seeds = 100;

struct ArrivalCase {
  const char* name;  // the rule
  const char* rates;
  ServeGenArrivals arrivals;
  double mean;                // requests in 600 s
  double standard_deviation;  // of a renewal process: sqrt(length / mean gap) * cv of the gaps
  friend std::ostream& operator<<(std::ostream& out, const ArrivalCase& c) { return out << c.name; }
};

const ArrivalCase arrival_cases[] = {
    {"gamma of 1 is Poisson", "3,0,2,1,Gamma,1,0.5\n", ServeGenArrivals::fitted, 1200, 34.7},
    {"gamma of 1/4: bursts, the same mean", "3,0,2,2,Gamma,0.25,2\n", ServeGenArrivals::fitted, 1200, 69.3},
    {"gamma of 4: regular", "3,0,2,0.5,Gamma,4,0.125\n", ServeGenArrivals::fitted, 1200, 17.4},
    {"weibull of 1/2", "3,0,2,2.24,Weibull,0.5,0.25\n", ServeGenArrivals::fitted, 1200, 77.5},
    {"the fit decides, not the rate beside it", "3,0,77,1,Gamma,1,0.5\n", ServeGenArrivals::fitted, 1200, 34.7},
    {"counted: the rate alone", "3,0,2,2.24,Weibull,0.5,77\n", ServeGenArrivals::counted, 1200, 0},
    {"counted with gaps that vanish", "3,0,2,9,Gamma,0.0126,1e-9\n", ServeGenArrivals::counted, 1200, 0},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(trace_servegen)

BOOST_DATA_TEST_CASE(windows_have_the_arrivals_of_their_law, bdata::make(arrival_cases), c) {
  const Files files(rates_head + c.rates);
  double sum = 0;
  double squares = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto made = files.load({.seed = seed, .arrivals = c.arrivals}).value().workload;
    check_normal_form(made);
    const auto count = static_cast<double>(made.requests.size());
    sum += count;
    squares += count * count;
    BOOST_TEST(made.requests.front().arrival_ns >= 0);
    BOOST_TEST(made.requests.back().arrival_ns < 600'000'000'000);
  }
  const double mean = sum / seeds;
  const double deviation = std::sqrt(std::max(0.0, squares / seeds - mean * mean));
  BOOST_TEST(std::abs(mean - c.mean) <= 5 * c.standard_deviation / std::sqrt(seeds), mean);
  // The deviation of 100 draws is within 4 * 1 / sqrt(200) = 28 % of the law's; a tenth more for the law being that of long windows.
  BOOST_TEST(std::abs(deviation - c.standard_deviation) <= 0.38 * c.standard_deviation, deviation);
}

BOOST_AUTO_TEST_CASE(lengths_follow_the_inverse_cdf) {
  const Files files(rates_head + "3,0,20,1,Gamma,1,0.05\n");
  std::uint64_t count = 0;
  std::uint64_t below_middle = 0;
  std::uint64_t top = 0;
  double sum = 0;
  const auto loaded = files.load({.seed = 4});
  for (const auto& request : loaded.value().workload.requests) {
    ++count;
    BOOST_TEST(request.input_tokens >= 1U);
    BOOST_TEST(request.input_tokens <= 160U);
    BOOST_TEST(request.output_tokens == 5U);
    below_middle += request.input_tokens <= 80 ? 1 : 0;
    top += request.input_tokens > 130 ? 1 : 0;
    sum += request.input_tokens;
  }
  const auto n = static_cast<double>(count);
  BOOST_REQUIRE(n > 10'000);
  // Half lie below the median, a twentieth above q95, the mean is that of the broken line; five standard deviations of each.
  BOOST_TEST(std::abs(static_cast<double>(below_middle) - n / 2) < 5 * std::sqrt(n / 4));
  BOOST_TEST(std::abs(static_cast<double>(top) - n / 20) < 5 * std::sqrt(n * 0.05));
  const double probabilities[] = {0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1};
  double want = 0;
  for (int i = 1; i < 17; ++i) want += (probabilities[i] - probabilities[i - 1]) * (10 * i - 5);
  BOOST_TEST(std::abs(sum / n - want) < 5 * 35 / std::sqrt(n), sum / n);
}

BOOST_AUTO_TEST_CASE(a_later_start_shows_the_same_workload_from_there) {
  const Files files(rates_head + "3,0,2,1,Gamma,0.5,1\n3,600,5,1,Weibull,0.8,0.2\n");
  const auto all = files.load({.seed = 9, .duration_s = 1200}).value().workload;
  const auto late = files.load({.seed = 9, .start_s = 300, .duration_s = 400}).value().workload;
  std::size_t next = 0;
  for (const auto& request : all.requests) {
    if (request.arrival_ns < 300'000'000'000 || request.arrival_ns >= 700'000'000'000) continue;
    BOOST_REQUIRE(next < late.requests.size());
    const auto& same = late.requests[next++];
    BOOST_TEST(same.arrival_ns == request.arrival_ns - 300'000'000'000);
    BOOST_TEST(same.input_tokens == request.input_tokens);
    // The second window's quantiles hold from 600 s on.
    BOOST_TEST((request.input_tokens == 900U) == (request.arrival_ns >= 600'000'000'000));
  }
  BOOST_TEST(next == late.requests.size());
  BOOST_TEST(next > 500U);
}

BOOST_AUTO_TEST_CASE(clients_are_tenants_and_fields_of_the_input_add_up) {
  const std::string five = "5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5\n";
  const Files files(rates_head + "3,0,1,1,Gamma,1,1\n8,0,1,1,Gamma,1,1\n",
                    quantiles_head + "3,0,text_tokens,5," + five + "3,0,image_tokens,5," + five + "3,0,image_count,5," + five +
                        "3,0,output_tokens,5," + five + "8,0,input_tokens,5," + five + "8,0,output_tokens,5," + five);
  const auto loaded = files.load({.seed = 1}).value();
  BOOST_TEST(loaded.workload.tenants.size() == 2U);
  BOOST_TEST(loaded.workload.models.at(0) == "m-x");
  for (const auto& request : loaded.workload.requests)
    BOOST_TEST(request.input_tokens == (loaded.workload.tenants.at(request.tenant) == "client-3" ? 10U : 5U));
  BOOST_REQUIRE(loaded.notes.size() == 1U);
  BOOST_TEST(loaded.notes[0] ==
             "sampled from the clients in the files, which have 5.0 % of the rate of all clients; gaps by the fitted shape and scale");
}

BOOST_AUTO_TEST_CASE(one_seed_gives_the_same_bytes_and_another_others) {
  const Files files(rates_head + "3,0,2,1,Gamma,0.3,1\n3,600,5,1,Weibull,0.4,0.2\n");
  const ServeGenOptions options{.seed = 11, .duration_s = 1200};
  const auto first = files.load(options).value().workload;
  BOOST_TEST(text_of(first) == text_of(load_servegen(files.folder.file("m-x-client-rates.csv"), options).value().workload));
  auto other = options;
  other.seed = 12;
  BOOST_TEST(text_of(first) != text_of(files.load(other).value().workload));
  BOOST_TEST(digest_of(first) == 564'158'947'820'666'427U);  // the same with every compiler
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named) {
  const std::string rates = rates_head + "3,0,2,1,Gamma,1,1\n";
  const auto says = [](const Files& files, const ServeGenOptions& options, const std::string& want) {
    const auto result = files.load(options);
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST((result.error().message.find(want) != std::string::npos), result.error().message);
  };
  says(Files(rates, quantiles, "t_s\n0\n"), {}, "m-x-total-rate.csv:1: no column rate_rps: want the header of total rates of ServeGen");
  says(Files(rates, quantiles, "t_s,rate_rps\n5,1\n5,1\n"), {}, "m-x-total-rate.csv:3: t_s = 5: want times that rise");
  says(Files(rates_head + "3,0,2,1,Normal,1,1\n"), {}, "m-x-client-rates.csv:2: pattern = Normal: want Gamma or Weibull");
  says(Files(rates_head + "3,0,2,1,Gamma,0,1\n"), {}, "m-x-client-rates.csv:2: arg1 = 0: want a number from 0.001 to 10000 (shape)");
  says(Files(rates_head + "3,0,2,1,Gamma,1,-1\n"), {}, "m-x-client-rates.csv:2: arg2 = -1: want a number from 1e-12 to 1e+12 (scale in s)");
  says(Files(rates + "3,30,2,1,Gamma,1,1\n"), {}, "m-x-client-rates.csv:3: t_s = 30: want windows of a client that rise by at least 600 s");
  says(Files(rates, quantiles_head + "3,0,input_tokens,1,5,4,5,5,5,5,5,5,5,5,5,5,5,5,5,5,5\n"), {},
       "m-x-client-quantiles.csv:2: q0.1 = 4: want quantiles that do not fall");
  says(Files(rates, quantiles + "3,600,input_tokens,80," + ramp), {},
       "m-x-client-quantiles.csv:5: t_s = 600: want windows of a client and field that rise");
  says(Files(rates_head + "4,0,2,1,Gamma,1,1\n"), {},
       "m-x-client-quantiles.csv: client 4 has rates but no quantiles of input and output tokens");
  says(Files(rates), {.start_s = 600}, "m-x: no arrival from 600 s for 600 s: want a time within the trace");
  says(Files(rates), {.duration_s = 0}, "start 0 s, duration 0 s: want a start from 0 and a duration from 1");
  const auto absent = load_servegen("/tmp/spillway-nothing-here", {});
  BOOST_REQUIRE(!absent.has_value());
  BOOST_TEST(
      absent.error().message ==
      "/tmp/spillway-nothing-here-total-rate.csv: cannot be opened: want the prefix of three files -total-rate.csv, -client-rates.csv, "
      "-client-quantiles.csv");
}

BOOST_AUTO_TEST_SUITE_END()
