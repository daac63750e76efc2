// Closed forms of queues, through the real router and batcher with one slot.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "sim/cluster.h"
#include "sim/workload_random.h"

using namespace spillway;
using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

constexpr double step_s = 0.001;

enum class Service { deterministic, geometric, two_lengths };

/// Poisson arrivals; a request takes as many steps as it has tokens.
class QueueSource : public RequestSource {
 public:
  QueueSource(std::uint64_t count, double rate, Service service, std::uint64_t seed) : random_(seed, RandomUse::test, 3) {
    tenants_.add("default");
    models_.add("default");
    CounterRandom lengths(seed, RandomUse::test, 4);
    double at = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      at += random_.exponential(1e9 / rate);
      arrivals_.push_back(static_cast<std::int64_t>(at));
      ClientRequest request;
      request.input_tokens = 1;
      request.output_tokens = length(service, lengths);
      requests_.push_back(std::move(request));
    }
  }
  static std::uint32_t length(Service service, CounterRandom& random) {
    switch (service) {
      case Service::deterministic: return 50;
      case Service::geometric: return 1 + static_cast<std::uint32_t>(exact_log(random.uniform()) / exact_log(1 - 1.0 / 50));
      case Service::two_lengths: return random.below(10) == 0 ? 320 : 20;
    }
    return 1;
  }
  /// First and second moment of the steps that a request takes.
  static std::pair<double, double> moments(Service service) {
    switch (service) {
      case Service::deterministic: return {50, 2500};
      case Service::geometric: return {50, (2 - 1.0 / 50) * 50 * 50};
      case Service::two_lengths: return {50, 0.1 * 320 * 320 + 0.9 * 20 * 20};
    }
    return {};
  }
  std::uint64_t count() const override { return requests_.size(); }
  std::int64_t arrival_ns(std::uint64_t index) override { return arrivals_[index]; }
  ClientRequest request(std::uint64_t index) const override { return requests_[index]; }
  void block_names(std::uint64_t, std::vector<core::BlockName>& names) const override { names.clear(); }
  const NameTable& tenants() const override { return tenants_; }
  const NameTable& models() const override { return models_; }

 private:
  CounterRandom random_;
  std::vector<std::int64_t> arrivals_;
  std::vector<ClientRequest> requests_;
  NameTable tenants_;
  NameTable models_;
};

ClusterPlan one_slot() {
  ClusterPlan plan = plan_of(EqualNodes{});
  auto& cost = plan.nodes[0].replicas[0].cost;
  cost = {};
  cost.step = std::chrono::milliseconds(1);
  plan.batcher.sequences_max = 1;
  plan.batcher.ageing = core::Duration{0};
  plan.router.moves.enabled = false;
  return plan;
}

struct QueueCase {
  const char* name;
  Service service;
  double load;
  friend std::ostream& operator<<(std::ostream& out, const QueueCase& c) { return out << c.name; }
};
const QueueCase queue_cases[] = {
    {"M/D/1 at 50 %", Service::deterministic, 0.5}, {"M/D/1 at 80 %", Service::deterministic, 0.8},
    {"M/M/1 at 50 %", Service::geometric, 0.5},     {"M/M/1 at 80 %", Service::geometric, 0.8},
    {"M/G/1 at 50 %", Service::two_lengths, 0.5},   {"M/G/1 at 80 %", Service::two_lengths, 0.8},
};

/// Mean and the half width of its interval at 99.9 %, by independent runs.
struct Interval {
  double mean = 0;
  double half = 0;
};
Interval interval_of(const std::vector<double>& values) {
  constexpr double t_value = 3.883;  // 19 degrees of freedom, 99.9 %
  const auto n = static_cast<double>(values.size());
  Interval found;
  for (const double v : values) found.mean += v / n;
  double variance = 0;
  for (const double v : values) variance += (v - found.mean) * (v - found.mean) / (n - 1);
  found.half = t_value * std::sqrt(variance / n);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_queue)

BOOST_DATA_TEST_CASE(one_slot_is_the_queue_of_the_book, bdata::make(queue_cases), c) {
  constexpr std::uint32_t runs = 20;
  constexpr std::uint64_t requests = 4000;
  constexpr std::size_t warm_up = 400;
  const auto [first, second] = QueueSource::moments(c.service);
  const double rate = c.load / (first * step_s);
  // Pollaczek and Khinchine: mean wait = rate x E[S^2] / (2 (1 - load)).
  const double wait = rate * second * step_s * step_s / (2 * (1 - c.load));
  std::vector<double> waits;
  std::vector<double> in_system;
  std::vector<double> little;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    QueueSource source(requests, rate, c.service, seed);
    ClusterOptions options;
    options.sample_interval = std::chrono::milliseconds(100);
    Cluster cluster(one_slot(), options);
    const auto outcome = cluster.run(source);
    BOOST_REQUIRE_MESSAGE(outcome.has_value(), (outcome ? std::string() : outcome.error().message));
    double sum = 0;
    double stay = 0;
    const auto& records = outcome->run.records;
    for (std::size_t i = warm_up; i < records.size(); ++i) {
      BOOST_REQUIRE((records[i].outcome == RequestOutcome::finished));
      sum += static_cast<double>(records[i].first_token_ns - records[i].arrival_ns) / 1e9 - step_s;
      stay += static_cast<double>(records[i].end_ns - records[i].arrival_ns) / 1e9;
    }
    const auto counted = static_cast<double>(records.size() - warm_up);
    waits.push_back(sum / counted);
    // Little: what reports show at regular times against arrival rate x mean stay, over the time of the same requests.
    const std::int64_t from = records[warm_up].arrival_ns;
    const std::int64_t to = records.back().arrival_ns;
    double seen = 0;
    double samples = 0;
    for (const auto& sample : outcome->run.series) {
      if (sample.node != whole_cluster || sample.time_ns < from || sample.time_ns > to) continue;
      seen += sample.running + sample.queued;
      samples += 1;
    }
    BOOST_REQUIRE(samples > 100);
    in_system.push_back(seen / samples);
    little.push_back(seen / samples - counted / (static_cast<double>(to - from) / 1e9) * stay / counted);
  }
  const Interval measured = interval_of(waits);
  BOOST_TEST_MESSAGE(c.name << ": wait " << measured.mean * 1000 << " +- " << measured.half * 1000 << " ms, expected " << wait * 1000);
  BOOST_TEST(std::abs(measured.mean - wait) <= measured.half);
  BOOST_TEST(measured.half < wait / 3);
  const Interval difference = interval_of(little);
  BOOST_TEST_MESSAGE("in the system " << interval_of(in_system).mean << ", by Little's law " << -difference.mean << " +- "
                                      << difference.half << " more");
  BOOST_TEST(std::abs(difference.mean) <= difference.half + 0.01 * interval_of(in_system).mean);
}

BOOST_AUTO_TEST_SUITE_END()
