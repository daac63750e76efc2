#include "sim/speed_source.h"

#include <array>

#include "core/step.h"

namespace spillway::sim {

namespace {

/// Every 32nd part of the sorted lengths of the Azure 2023 conversation trace (19,366 requests), linear between; the longest 0.1 % of
/// inputs are cut.
constexpr std::array<std::uint32_t, 33> input_lengths{2,    165,  194,  206,  235,  374,  383,  391,  396,  401,  405,
                                                      412,  428,  818,  966,  1001, 1020, 1037, 1052, 1067, 1083, 1100,
                                                      1120, 1147, 1189, 1312, 1335, 1770, 2310, 3018, 4079, 4089, 4200};
constexpr std::array<std::uint32_t, 33> output_lengths{7,   33,  45,  53,  60,  68,  75,  81,  85,  89,  92,  95,  99,  104, 110, 118, 129,
                                                       141, 157, 171, 195, 223, 377, 389, 395, 397, 402, 411, 416, 427, 440, 502, 1000};

constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

std::uint32_t length_at(const std::array<std::uint32_t, 33>& quantiles, std::uint32_t bits) {
  const std::uint32_t part = bits >> 27U;
  const std::uint64_t within = bits & 0x7ffffffU;
  return quantiles[part] + static_cast<std::uint32_t>((quantiles[part + 1] - quantiles[part]) * within >> 27U);
}

}  // namespace

SpeedSource::SpeedSource(std::uint64_t requests, double requests_per_second, std::uint64_t seed)
    : requests_(requests), mean_ns_(1e9 / requests_per_second), seed_(seed), arrivals_(seed, RandomUse::speed) {
  tenants_.add("default");
  models_.add("default");
}

std::int64_t SpeedSource::arrival_ns(std::uint64_t) {
  at_ += arrivals_.exponential(mean_ns_);
  return static_cast<std::int64_t>(at_);
}

SpeedSource::Shape SpeedSource::shape_of(std::uint64_t index) const {
  const std::uint64_t draw = mix(seed_ ^ mix(index));
  const std::uint64_t other = mix(draw);
  Shape shape;
  shape.input = length_at(input_lengths, static_cast<std::uint32_t>(draw));
  shape.output = length_at(output_lengths, static_cast<std::uint32_t>(draw >> 32U));
  if (other % 10 < 3) shape.group = static_cast<std::uint32_t>((other >> 8U) % groups) + 1;
  return shape;
}

ClientRequest SpeedSource::request(std::uint64_t index) const {
  const Shape shape = shape_of(index);
  ClientRequest made;
  made.input_tokens = shape.input;
  made.output_tokens = shape.output;
  return made;
}

void SpeedSource::block_names(std::uint64_t index, std::vector<core::BlockName>& names) const {
  const Shape shape = shape_of(index);
  const std::uint64_t full = (std::uint64_t{shape.input} + shape.output) / core::block_tokens;
  const std::uint64_t shared = shape.group == 0 ? 0 : shape.input / 2 / core::block_tokens;
  names.clear();
  for (std::uint64_t b = 0; b < full; ++b) {
    // Names of the beginning of a group stand above all requests of their own.
    names.push_back(own_name(b < shared ? requests_ + shape.group : index, b));
  }
}

}  // namespace spillway::sim
