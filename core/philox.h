#pragma once

#include <array>
#include <cstdint>

namespace spillway::core {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): four 32-bit words that are a pure
/// function of (key, counter). A stream that moved draws the same numbers, since nothing is stored.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint32_t m0 = 0xD2511F53U;
  constexpr std::uint32_t m1 = 0xCD9E8D57U;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(m0) * counter[0];
    const std::uint64_t p1 = static_cast<std::uint64_t>(m1) * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// Uniform float in [0, 1) with 24 bits for draw `draw` of token `index` of choice `choice` under `seed`.
constexpr float philox_uniform(std::uint64_t seed, std::uint32_t choice, std::uint32_t index, std::uint32_t draw = 0) {
  const auto words = philox4x32({index, choice, draw, 0}, {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return static_cast<float>(words[0] >> 8) * 0x1.0p-24F;
}

}  // namespace spillway::core
