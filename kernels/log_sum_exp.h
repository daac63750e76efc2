#pragma once

#include <cstddef>

namespace spillway::kernels {

/// log(sum over i of exp(x[i])), by the maximum first: the maximum + log of the sum of exp(x[i] - maximum), summed in 16 lanes
/// (lane = i mod 16) and by the fixed tree. n >= 1. log of the softmax is then x[i] - log_sum_exp(x).
float log_sum_exp(const float* x, std::size_t n);

}  // namespace spillway::kernels
