#pragma once

#include <cstddef>

#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// x[r, c] = cap * tanh(x[r, c] / cap) in place; tanh(z) = (1 - e) / (1 + e) with e = exp(-2 |z|), and the sign of z.
/// Shapes  x: [rows, cols] row-major; any sizes; cap above 0. Absolute error below 2e-7 * cap.
void softcap(float* x, std::size_t rows, std::size_t cols, float cap, ThreadPool& pool);

}  // namespace spillway::kernels
