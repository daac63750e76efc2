#pragma once

#include <cstdint>

/// Random numbers for workloads: pure functions of (seed, stream, index) over Philox, shaped with + - * / and sqrt alone, so
/// that one seed gives the same bits with every compiler and C library.
namespace spillway::sim {

/// What a stream of numbers decides. Streams of one seed are independent. Append only: the numbers are part of what a seed means.
enum class RandomUse : std::uint8_t {
  thinning = 1,
  superposing = 2,
  spreading = 3,
  servegen_arrivals = 4,
  servegen_lengths = 5,
  captions = 6,
  chat_bursts = 7,
  chat_sessions = 8,
  chat_turns = 9,
  upload_bursts = 10,
  uploads = 11,
  floods = 12,
  speed = 13,
  test = 255,
};

/// Natural logarithm of a finite x > 0, within 2e-15 of the larger of 1 and the result.
double exact_log(double x);
/// e to the x, relative error below 1e-14 for |x| < 700; 0 below -745 and infinity above 709.
double exact_exp(double x);
/// x to the y, x > 0.
double exact_power(double x, double y);

/// A stream of draws. Copying it copies the place in the stream.
class CounterRandom {
 public:
  /// `a` (24 bits) and `b` tell streams of one use apart: a client and a window, a row.
  CounterRandom(std::uint64_t seed, RandomUse use, std::uint32_t a = 0, std::uint32_t b = 0);

  /// 64 uniform bits.
  std::uint64_t bits();
  /// In (0, 1), never 0 or 1.
  double uniform();
  /// 0 to count - 1; `count` from 1 to 2^53.
  std::uint64_t below(std::uint64_t count);
  /// Mean `mean` > 0.
  double exponential(double mean);
  /// Mean 0, variance 1 (Marsaglia's polar method).
  double normal();
  /// Mean shape * scale (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000); shape, scale > 0.
  double gamma(double shape, double scale);
  /// P(X > x) = exp(-(x / scale)^shape); shape, scale > 0.
  double weibull(double shape, double scale);

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t next_ = 0;
};

}  // namespace spillway::sim
