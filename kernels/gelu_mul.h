#pragma once

#include <cstddef>

#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// y[r, c] = gelu(gate[r, c]) * up[r, c], gelu by its approximation with tanh (arXiv 1606.08415):
/// 0.5 g (1 + tanh(u)), u = sqrt(2 / pi) (g + 0.044715 g^3), computed as g / (1 + exp(-2 u)).
/// Shapes  all [rows, cols] row-major; y may alias either exactly. Any sizes.
void gelu_mul(const float* gate, const float* up, float* y, std::size_t rows, std::size_t cols, ThreadPool& pool);

}  // namespace spillway::kernels
