#pragma once

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/isa.h"

namespace spillway::kernels::testing {

/// Runs f() under each instruction set of this machine and hands its result to `check(result of scalar, result, isa)`.
/// Returns how many sets were compared with scalar.
template <class F, class Check>
int for_each_isa(const F& f, const Check& check) {
  const auto saved = current_isa();
  BOOST_REQUIRE(set_isa(Isa::scalar));
  const auto scalar = f();
  int compared = 0;
  for (const auto isa : {Isa::avx2, Isa::avx512}) {
    if (!set_isa(isa)) continue;
    check(scalar, f(), isa);
    ++compared;
  }
  set_isa(saved);
  return compared;
}

inline std::vector<float> normals(std::size_t n, std::uint32_t seed, float spread = 1.0F) {
  std::mt19937 rng{seed};
  std::normal_distribution<float> draw{0.0F, spread};
  std::vector<float> values(n);
  for (auto& value : values) value = draw(rng);
  return values;
}

/// True, and counted, when all bits are equal; else the first difference is reported.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  if (a.size() != b.size()) {
    BOOST_ERROR(what + ": sizes differ");
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    BOOST_ERROR(what + ": value " + std::to_string(i) + " is " + std::to_string(b[i]) + ", scalar gives " + std::to_string(a[i]));
    return false;
  }
  return true;
}

/// The same under every instruction set, bit for bit. f() returns a vector of floats.
template <class F>
void check_same(const std::string& what, const F& f) {
  for_each_isa(f, [&](const auto& scalar, const auto& other, Isa isa) {
    BOOST_TEST(same_bits(scalar, other, what + " on " + std::string{to_string(isa)}));
  });
}

}  // namespace spillway::kernels::testing
