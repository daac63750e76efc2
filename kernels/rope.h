#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spillway::kernels {

/// Which values of a head make pair i: (x[2i], x[2i + 1]), or (x[i], x[dims / 2 + i]); NORM and NEOX where files name them.
enum class RopeOrder : std::uint8_t { adjacent, halves };

/// How a model was stretched to more positions than it was first trained for.
enum class RopeScaling : std::uint8_t { none, linear, yarn };

/// All that decides the angles but the tensor rope_freqs.
struct RopeRule {
  std::uint32_t dims = 0;  ///< even
  float base = 10000.0F;   ///< at least 1; above 1 for yarn
  RopeScaling scaling = RopeScaling::none;
  float factor = 1.0F;                 ///< of linear and yarn; above 0
  std::uint32_t original_context = 0;  ///< of yarn: positions before stretching
  float attention_factor = 1.0F;       ///< of yarn: multiplies what follows from `factor`
  float beta_fast = 32.0F;             ///< of yarn: turns within original_context above which a pair stays as it was
  float beta_slow = 1.0F;              ///< of yarn: turns below which a pair is stretched in full
};

/// Rotary position embedding: pair i of a head turns by position * frequency[i], frequency[i] = base^(-2i / dims) / factors[i].
///   linear  frequency / factor.
///   yarn    (arXiv 2309.00071) between the pairs of beta_fast and beta_slow turns, low = floor and high = ceil of
///           dims ln(original_context / (turns 2 pi)) / (2 ln base), the share r = (i - low) / (high - low), held to [0, 1], of
///           frequency / factor and 1 - r of the frequency; sines and cosines times attention_factor (1 + 0.1 ln max(factor, 1)).
/// Angles, sines and cosines are computed in double by own code and rounded once to f32, so they are the same on every machine
/// and accurate at any position below 2^20.
class Rope {
 public:
  /// `factors` empty or dims / 2 long (the tensor rope_freqs).
  Rope(const RopeRule& rule, RopeOrder order, std::span<const float> factors);

  std::uint32_t dims() const { return static_cast<std::uint32_t>(2 * frequencies_.size()); }
  RopeOrder order() const { return order_; }

  /// Angles of one position as `rope` wants them, [dims] each: cosines (c0, c0, c1, c1, ...) and sines (-s0, s0, -s1, s1, ...) of
  /// adjacent pairs, (c0, c1, ..., c0, c1, ...) and (-s0, -s1, ..., s0, s1, ...) of halves.
  void angles(std::uint32_t position, float* cos2, float* sin2) const;

 private:
  RopeOrder order_;
  std::vector<double> frequencies_;
  double size_ = 1.0;  // of sines and cosines
};

/// Turns x[heads, head_dim] in place; dims = head_dim. Per pair (a, b): (a c + b (-s), b c + a s), each product and sum rounded.
void rope(RopeOrder order, float* x, std::size_t heads, std::size_t head_dim, const float* cos2, const float* sin2);

}  // namespace spillway::kernels
