#pragma once

#include <cstddef>

#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// y[r, c] = gate[r, c] / (1 + exp(-gate[r, c])) * up[r, c].
/// Shapes  all [rows, cols] row-major; y may alias either exactly. Any sizes.
void silu_mul(const float* gate, const float* up, float* y, std::size_t rows, std::size_t cols, ThreadPool& pool);

}  // namespace spillway::kernels
