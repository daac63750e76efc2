#include "sim/workload_random.h"

#include <array>
#include <cmath>
#include <limits>

#include "core/assert.h"
#include "core/philox.h"

namespace spillway::sim {
namespace {

// ln 2 in two parts: the first has 20 trailing zero bits, so that a multiple by an exponent is exact.
constexpr double ln2_high = 6.93147180369123816490e-01;
constexpr double ln2_low = 1.90821492927058770002e-10;
/// A draw that is refused this often is impossible: each try succeeds with more than one half.
constexpr int tries_max = 1000;

}  // namespace

double exact_log(double x) {
  SPILLWAY_ASSERT(x > 0 && x <= std::numeric_limits<double>::max());
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // frexp, ldexp, floor and sqrt round nothing or correctly: alike everywhere
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  // log m = 2 artanh((m - 1) / (m + 1)); |s| < 0.1716, so 12 terms reach the last bit.
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int n = 23; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return exponent * ln2_high + (exponent * ln2_low + 2 * s * sum);
}

double exact_exp(double x) {
  if (x > 709) return std::numeric_limits<double>::infinity();
  if (x < -745) return 0;
  const double steps = std::floor(x * 1.44269504088896340736 + 0.5);
  const double rest = (x - steps * ln2_high) - steps * ln2_low;
  double sum = 1;  // Taylor's series; |rest| < 0.35, so 18 terms reach the last bit
  for (int n = 18; n >= 1; --n) sum = 1 + sum * rest / n;
  return std::ldexp(sum, static_cast<int>(steps));
}

double exact_power(double x, double y) {
  return exact_exp(y * exact_log(x));
}

CounterRandom::CounterRandom(std::uint64_t seed, RandomUse use, std::uint32_t a, std::uint32_t b)
    : seed_{seed}, stream_{static_cast<std::uint64_t>(use) << 56 | static_cast<std::uint64_t>(a) << 32 | b} {
  SPILLWAY_ASSERT(a < 1U << 24);
}

std::uint64_t CounterRandom::bits() {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const auto words = core::philox4x32({low(next_), high(next_), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  ++next_;
  return static_cast<std::uint64_t>(words[1]) << 32 | words[0];
}

double CounterRandom::uniform() {
  return (static_cast<double>(bits() >> 12) + 0.5) * 0x1.0p-52;
}

std::uint64_t CounterRandom::below(std::uint64_t count) {
  SPILLWAY_ASSERT(count >= 1 && count <= 1ULL << 53);
  const auto draw = static_cast<std::uint64_t>(uniform() * static_cast<double>(count));
  return draw < count ? draw : count - 1;
}

double CounterRandom::exponential(double mean) {
  return -exact_log(uniform()) * mean;
}

double CounterRandom::normal() {
  for (int i = 0; i < tries_max; ++i) {
    const double x = 2 * uniform() - 1;
    const double y = 2 * uniform() - 1;
    const double square = x * x + y * y;
    if (square < 1 && square > 0) return x * std::sqrt(-2 * exact_log(square) / square);
  }
  return 0;
}

double CounterRandom::gamma(double shape, double scale) {
  SPILLWAY_ASSERT(shape > 0 && scale > 0);
  if (shape < 1) {
    const double larger = gamma(shape + 1, scale);
    return larger * exact_power(uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (int i = 0; i < tries_max; ++i) {
    const double x = normal();
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (exact_log(uniform()) < 0.5 * x * x + d - d * v + d * exact_log(v)) return d * v * scale;
  }
  return d * scale;
}

double CounterRandom::weibull(double shape, double scale) {
  SPILLWAY_ASSERT(shape > 0 && scale > 0);
  return scale * exact_power(exponential(1), 1 / shape);
}

}  // namespace spillway::sim
