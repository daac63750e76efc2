#include "kernels/rope.h"

#include "core/assert.h"
#include "kernels/math.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

Rope::Rope(std::uint32_t dims, float base, std::span<const float> factors) {
  SPILLWAY_ASSERT(dims % 2 == 0 && (factors.empty() || factors.size() == dims / 2));
  const double log_base = log_f64(static_cast<double>(base));
  frequencies_.resize(dims / 2);
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    frequencies_[i] = exp_f64(-2.0 * static_cast<double>(i) / dims * log_base);
    if (!factors.empty()) frequencies_[i] /= static_cast<double>(factors[i]);
  }
}

void Rope::angles(std::uint32_t position, float* cos2, float* sin2) const {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = frequencies_[i] * position;
    const auto c = static_cast<float>(cos_f64(angle));
    const auto s = static_cast<float>(sin_f64(angle));
    cos2[2 * i] = cos2[2 * i + 1] = c;
    sin2[2 * i] = -s;
    sin2[2 * i + 1] = s;
  }
}

void rope(float* x, std::size_t heads, std::size_t head_dim, const float* cos2, const float* sin2) {
  const auto op = vector_ops().rope;
  for (std::size_t head = 0; head < heads; ++head) op(x + head * head_dim, cos2, sin2, head_dim);
}

}  // namespace spillway::kernels
