#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace spillway::kernels {

/// Rotary position embedding, NORM order: pair i of a head is (x[2i], x[2i + 1]) and turns by position * frequency[i],
/// frequency[i] = base^(-2i / dims) / factors[i]. Angles, sines and cosines are computed in double by own code and rounded once
/// to f32, so they are the same on every machine and accurate at any position below 2^20.
class Rope {
 public:
  /// `dims` even; `factors` empty or dims / 2 long (the tensor rope_freqs).
  Rope(std::uint32_t dims, float base, std::span<const float> factors);

  std::uint32_t dims() const { return static_cast<std::uint32_t>(2 * frequencies_.size()); }

  /// Angles of one position as `apply` wants them: cos2 = (c0, c0, c1, c1, ...), sin2 = (-s0, s0, -s1, s1, ...), [dims] each.
  void angles(std::uint32_t position, float* cos2, float* sin2) const;

 private:
  std::vector<double> frequencies_;
};

/// Turns x[heads, head_dim] in place; dims = head_dim. Per pair (a, b): (a c + b (-s), b c + a s), each product and sum rounded.
void rope(float* x, std::size_t heads, std::size_t head_dim, const float* cos2, const float* sin2);

}  // namespace spillway::kernels
