#pragma once

#include "sim/request_source.h"
#include "sim/workload_random.h"

namespace spillway::sim {

/// Requests made on the fly for measuring the simulator: Poisson arrivals, lengths like those of the Azure 2023 conversation trace (a
/// table of its quantiles), and three in ten that begin like others: one of `groups` prompts' beginnings, half of the input.
class SpeedSource : public RequestSource {
 public:
  SpeedSource(std::uint64_t requests, double requests_per_second, std::uint64_t seed);
  std::uint64_t count() const override { return requests_; }
  std::int64_t arrival_ns(std::uint64_t index) override;
  ClientRequest request(std::uint64_t index) const override;
  void block_names(std::uint64_t index, std::vector<core::BlockName>& names) const override;
  const NameTable& tenants() const override { return tenants_; }
  const NameTable& models() const override { return models_; }

  static constexpr std::uint32_t groups = 2000;

 private:
  struct Shape {
    std::uint32_t input = 0;
    std::uint32_t output = 0;
    std::uint32_t group = 0;  ///< 0 = shares nothing
  };
  Shape shape_of(std::uint64_t index) const;

  std::uint64_t requests_;
  double mean_ns_;
  std::uint64_t seed_;
  CounterRandom arrivals_;
  double at_ = 0;
  NameTable tenants_;
  NameTable models_;
};

}  // namespace spillway::sim
