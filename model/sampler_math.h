#pragma once

#include <bit>
#include <cstdint>

/// exp and log in plain float64 arithmetic (add, multiply, divide; no fused operations, no libm), so that every machine gets
/// the same bits. Within 2 units in the last place.
namespace spillway::model {

/// e^x for x <= 0; 0 below -700, so that no result is subnormal. x is not NaN. Branch-free: compilers vectorise it.
inline double exp_nonpositive(double x) {
  constexpr double magic = 0x1.8p52;  // adding it rounds to an integer, which then stands in the low bits
  // |x| <= 700 by the bits, as a mask: a comparison of doubles would keep GCC from vectorising.
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x) & 0x7fffffffffffffffULL;
  const std::uint64_t inside = ((std::bit_cast<std::uint64_t>(700.0) - bits) >> 63) - 1;
  const auto clamped = std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & inside);
  const double shifted = clamped * 0x1.71547652b82fep+0 + magic;  // log2(e)
  const double k = shifted - magic;
  const double r = (clamped - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;  // ln 2 in two parts; |r| <= 0.347
  double p = 1.0 / 6227020800.0;  // Taylor series to r^13
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const auto scale = std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52);  // 2^k
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(p * scale) & inside);
}

/// ln x for normal x > 0.
inline double log_positive(double x) {
  std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
  auto m = std::bit_cast<double>(bits);
  if (m > 0x1.6a09e667f3bcdp+0) {  // sqrt 2
    m *= 0.5;
    ++exponent;
  }
  const double f = (m - 1.0) / (m + 1.0);  // |f| <= 0.172; ln m = 2 (f + f^3/3 + f^5/5 + ...)
  const double f2 = f * f;
  double p = 1.0 / 23.0;
  for (int n = 21; n >= 1; n -= 2) p = p * f2 + 1.0 / static_cast<double>(n);
  const auto e = static_cast<double>(exponent);
  return e * 0x1.62e42fee00000p-1 + (e * 0x1.a39ef35793c76p-33 + 2.0 * f * p);
}

}  // namespace spillway::model
