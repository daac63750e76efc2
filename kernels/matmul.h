#pragma once

#include <cstddef>
#include <span>

#include "kernels/pack.h"
#include "kernels/quantize.h"
#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// The rows that go into a product: x[n, k], rows `stride` floats apart, and their int8 form where a matrix takes it.
struct Activations {
  const float* x = nullptr;
  std::size_t stride = 0;
  std::size_t n = 0;
  std::size_t k = 0;
  /// assign()ed from these very rows. May be null if no matrix of the call takes_quantized(). Then `x` is not read, and may be
  /// null, for the matrices that do.
  const QuantizedRows* quantized = nullptr;
};

/// One product of a call.
struct Product {
  const PackedMatrix* weights = nullptr;  ///< W[rows, k]
  float* y = nullptr;                     ///< y[n, rows], rows `stride` floats apart
  std::size_t stride = 0;
  bool accumulate = false;  ///< y = y + x W^T (one addition, after the product) instead of y = x W^T
};

/// y[i, r] = sum over k of x[i, k] * W[r, k], for each product; all share the activations and one pass of the pool (so q, k, v or
/// gate and up cost one barrier). By rule 3 of the numerics contract:
///   F32, F16, BF16   acc = fma(x, w, acc) in order of k
/// All others take x as codes q with a scale for each group of 32 (quantize.h), and go through the groups in order of k. w is the
/// weight's code with its zero point taken out, or what its table says; dot is sum(w q), in int32.
///   Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, TQ1_0, TQ2_0, MXFP4, Q1_0, Q2_0, and Q4_K, Q5_K with d = d sc and m = -(dmin min):
///       acc = fma(d * scale, float(dot), acc)
///       and where there is a minimum then acc = fma(m * scale, float(sum(q)), acc)
///   NVFP4: the same for the first 16 codes with their d, then for the last 16 with theirs
///   Q2_K, Q3_K, Q6_K, which have whole-number scales sc for 16: n = sc dot of the first 16 codes + sc dot of the last 16, in int32,
///       acc = fma(d * scale, float(n), acc)
///       and for Q2_K, with n = min sum(q) of the first + min sum(q) of the last, then acc = fma(-dmin * scale, float(n), acc)
/// All dots, d sc and dmin min are exact in f32, and so is n, whose magnitude stays below 2^24.
/// The finished sum is multiplied by W's output_scale(), one rounding, before it is stored or added.
/// A row of y depends on its row of x and on W alone, bit for bit: not on n, the other rows, threads or instruction set. (Of a
/// NaN only that it is one.)
/// Shapes   W.k() = x.k; y must not overlap x, W or another y. SPILLWAY_ASSERT.
/// No allocation.
void matmul(std::span<const Product> products, const Activations& x, ThreadPool& pool);

inline void matmul(const PackedMatrix& weights, const Activations& x, float* y, std::size_t stride, ThreadPool& pool) {
  const Product product{&weights, y, stride, false};
  matmul(std::span{&product, 1}, x, pool);
}

}  // namespace spillway::kernels
