#pragma once

#include <cstddef>

#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// y[r, c] = x[r, c] / sqrt(mean(x[r, :]^2) + epsilon) * weight[c].
/// Shapes  x, y: [rows, cols] row-major, may alias exactly; weight: [cols]. Any sizes.
/// Order   squares by fma into 16 lanes (lane = c mod 16), lanes by the fixed tree; then (x * (1 / root)) * weight.
void rms_norm(const float* x, const float* weight, float* y, std::size_t rows, std::size_t cols, float epsilon, ThreadPool& pool);

}  // namespace spillway::kernels
