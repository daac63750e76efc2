#include "kernels/math.h"

#include <bit>
#include <cstdint>

#include "kernels/vector_ops.h"

namespace spillway::kernels {

namespace {

/// Nearest integer, ties to even, of |x| < 2^51.
double nearest(double x) {
  constexpr double magic = 0x1.8p52;
  return (x + magic) - magic;
}

/// r + n pi/2 = x with |r| <= pi/4 (a little more at the edge); pi/2 in three parts of 33 bits, so that n times a part is exact.
struct Reduced {
  double r;
  std::int64_t n;
};
Reduced reduce(double x) {
  const double n = nearest(x * 0.63661977236758134308);
  const double r = ((x - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
  return {r, static_cast<std::int64_t>(n)};
}

double sin_taylor(double r) {
  const double z = r * r;
  double s = 0;
  for (int k = 19; k >= 3; k -= 2) s = (1.0 + s) * (-z / (k * (k - 1)));
  return r + r * s;
}
double cos_taylor(double r) {
  const double z = r * r;
  double c = 0;
  for (int k = 20; k >= 2; k -= 2) c = (1.0 + c) * (-z / (k * (k - 1)));
  return 1.0 + c;
}

}  // namespace

void exp(const float* x, float* y, std::size_t n) {
  vector_ops().exp(x, y, n);
}
void log(const float* x, float* y, std::size_t n) {
  vector_ops().log(x, y, n);
}
void sin(const float* x, float* y, std::size_t n) {
  vector_ops().sin(x, y, n);
}
void cos(const float* x, float* y, std::size_t n) {
  vector_ops().cos(x, y, n);
}

double exp_f64(double x) {
  const double n = nearest(x * 1.4426950408889634074);
  const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  double s = 0;
  for (int k = 18; k >= 1; --k) s = (1.0 + s) * (r / k);
  return (1.0 + s) * std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023) << 52);
}

double log_f64(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<std::int64_t>(bits >> 52) - 1023;
  auto m = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.41421356237309504880) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);  // log m = 2 (s + s^3/3 + s^5/5 + ...)
  const double z = s * s;
  double sum = 0;
  for (int k = 25; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
  const auto e = static_cast<double>(exponent);
  return e * 6.93147180369123816490e-01 + (2.0 * s + (2.0 * s * sum + e * 1.90821492927058770002e-10));
}

double sin_f64(double x) {
  const auto [r, n] = reduce(x);
  const double value = (n & 1) != 0 ? cos_taylor(r) : sin_taylor(r);
  return (n & 2) != 0 ? -value : value;
}

double cos_f64(double x) {
  const auto [r, n] = reduce(x);
  const double value = (n & 1) != 0 ? sin_taylor(r) : cos_taylor(r);
  return ((n + 1) & 2) != 0 ? -value : value;
}

}  // namespace spillway::kernels
