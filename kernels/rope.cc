#include "kernels/rope.h"

#include <algorithm>
#include <cmath>

#include "core/assert.h"
#include "kernels/math.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

namespace {

/// The share of the stretched frequency in pair i; see Rope.
class YarnShare {
 public:
  YarnShare(const RopeRule& rule, double log_base) {
    const auto pair_of = [&](float turns) {
      constexpr double two_pi = 6.28318530717958647693;
      return rule.dims * log_f64(rule.original_context / (static_cast<double>(turns) * two_pi)) / (2.0 * log_base);
    };
    low_ = std::max(std::floor(pair_of(rule.beta_fast)), 0.0);
    const double high = std::min(std::ceil(pair_of(rule.beta_slow)), static_cast<double>(rule.dims - 1));
    width_ = std::max(high - low_, 0.001);
  }
  double operator()(std::size_t i) const { return std::clamp((static_cast<double>(i) - low_) / width_, 0.0, 1.0); }

 private:
  double low_;
  double width_;
};

}  // namespace

Rope::Rope(const RopeRule& rule, RopeOrder order, std::span<const float> factors) : order_{order} {
  SPILLWAY_ASSERT(rule.dims % 2 == 0 && (factors.empty() || factors.size() == rule.dims / 2));
  const double log_base = log_f64(static_cast<double>(rule.base));
  frequencies_.resize(rule.dims / 2);
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    frequencies_[i] = exp_f64(-2.0 * static_cast<double>(i) / rule.dims * log_base);
    if (!factors.empty()) frequencies_[i] /= static_cast<double>(factors[i]);
  }
  const auto factor = static_cast<double>(rule.factor);
  if (rule.scaling == RopeScaling::linear)
    for (double& frequency : frequencies_) frequency /= factor;
  if (rule.scaling == RopeScaling::yarn) {
    const YarnShare share{rule, log_base};
    for (std::size_t i = 0; i < frequencies_.size(); ++i)
      frequencies_[i] = frequencies_[i] / factor * share(i) + frequencies_[i] * (1.0 - share(i));
    size_ = static_cast<double>(rule.attention_factor) * (1.0 + 0.1 * std::max(log_f64(factor), 0.0));
  }
}

void Rope::angles(std::uint32_t position, float* cos2, float* sin2) const {
  const std::size_t pairs = frequencies_.size();
  for (std::size_t i = 0; i < pairs; ++i) {
    const double angle = frequencies_[i] * position;
    const auto c = static_cast<float>(cos_f64(angle) * size_);
    const auto s = static_cast<float>(sin_f64(angle) * size_);
    const std::size_t a = order_ == RopeOrder::adjacent ? 2 * i : i;
    const std::size_t b = order_ == RopeOrder::adjacent ? 2 * i + 1 : pairs + i;
    cos2[a] = cos2[b] = c;
    sin2[a] = -s;
    sin2[b] = s;
  }
}

void rope(RopeOrder order, float* x, std::size_t heads, std::size_t head_dim, const float* cos2, const float* sin2) {
  const auto op = order == RopeOrder::adjacent ? vector_ops().rope : vector_ops().rope_halves;
  for (std::size_t head = 0; head < heads; ++head) op(x + head * head_dim, cos2, sin2, head_dim);
}

}  // namespace spillway::kernels
