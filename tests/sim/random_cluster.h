#pragma once

#include <cstdint>
#include <vector>

#include "sim/cluster.h"
#include "sim/workload_random.h"

/// Clusters and requests drawn from a seed, for tests of the simulated cluster.
namespace spillway::sim::test {

struct RandomCluster {
  std::uint32_t nodes = 6;
  std::uint32_t routers = 2;
  std::uint32_t requests = 80;
  std::uint32_t kv_blocks_min = 24;
  std::uint32_t kv_blocks_max = 80;
  std::uint32_t input_max = 160;
  std::uint32_t output_max = 120;
  double load = 1.0;  ///< of what the devices can about do
  std::uint32_t too_long_permille = 10;
  std::uint32_t deadline_permille = 150;
  std::uint32_t cancel_permille = 50;
  std::uint32_t kills = 2;
  std::uint32_t worker_failures = 1;
  std::uint32_t slow_nodes = 1;
  std::uint32_t partitions = 1;
  std::uint32_t drains = 1;
  bool adapters = false;  ///< some requests are under one
  bool groups = false;    ///< some clusters serve a model with windows or a state
};

/// Requests by number, all functions of the seed.
class RandomSource : public RequestSource {
 public:
  RandomSource(const RandomCluster& shape, std::uint64_t seed, double mean_gap_ns);
  std::uint64_t count() const override { return requests_.size(); }
  std::int64_t arrival_ns(std::uint64_t index) override { return arrivals_[index]; }
  ClientRequest request(std::uint64_t index) const override { return requests_[index]; }
  void block_names(std::uint64_t index, std::vector<core::BlockName>& names) const override;
  const NameTable& tenants() const override { return tenants_; }
  const NameTable& models() const override { return models_; }
  std::int64_t span_ns() const { return arrivals_.back(); }

 private:
  std::vector<ClientRequest> requests_;
  std::vector<std::int64_t> arrivals_;
  std::vector<std::uint32_t> groups_;  // of a shared beginning; 0 = none
  NameTable tenants_;
  NameTable models_;
};

struct RandomCase {
  ClusterPlan plan;
  ClusterOptions options;
  double mean_gap_ns = 0;
};
RandomCase random_case(const RandomCluster& shape, std::uint64_t seed);

}  // namespace spillway::sim::test
