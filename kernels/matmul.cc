#include "kernels/matmul.h"

#include <algorithm>

#include "core/assert.h"
#include "kernels/isa.h"
#include "kernels/matmul_kernels.h"

namespace spillway::kernels {

namespace {

/// Slices per thread: enough that a thread which comes late or is put aside leaves little undone.
constexpr std::size_t slices_per_thread = 4;
/// Activations a thread sweeps per panel: they stay in the second cache while the panels pass by.
constexpr std::size_t column_block_bytes = 384 * 1024;
constexpr std::size_t column_unit = 24;

const MatmulKernels& kernels_of(Isa isa) {
  switch (isa) {
    case Isa::scalar: return matmul_kernels_scalar;
#if defined(__x86_64__)
    case Isa::avx2: return matmul_kernels_avx2;
    case Isa::avx512: return matmul_kernels_avx512;
#else
    default: break;
#endif
  }
  return matmul_kernels_scalar;
}

PanelKernel kernel_of(const MatmulKernels& kernels, WeightType type) {
  switch (type) {
    case WeightType::f32: return kernels.f32;
    case WeightType::f16: return kernels.f16;
    case WeightType::bf16: return kernels.bf16;
    case WeightType::q4_0: return kernels.q4_0;
    case WeightType::q4_1: return kernels.q4_1;
    case WeightType::q5_0: return kernels.q5_0;
    case WeightType::q5_1: return kernels.q5_1;
    case WeightType::q8_0: return kernels.q8_0;
    case WeightType::q2_k: return kernels.q2_k;
    case WeightType::q3_k: return kernels.q3_k;
    case WeightType::q4_k: return kernels.q4_k;
    case WeightType::q5_k: return kernels.q5_k;
    case WeightType::q6_k: return kernels.q6_k;
    case WeightType::iq4_nl: return kernels.iq4_nl;
    case WeightType::tq1_0:
    case WeightType::tq2_0: return kernels.tq2_0;
    case WeightType::mxfp4: return kernels.mxfp4;
    case WeightType::nvfp4: return kernels.nvfp4;
    case WeightType::q1_0: return kernels.q1_0;
    case WeightType::q2_0: return kernels.q2_0;
    case WeightType::q2_0_g128: return kernels.q2_0_g128;
  }
  return kernels.f32;
}

PanelRun run_of(const Product& product, const Activations& x) {
  const auto& w = *product.weights;
  PanelRun run{};
  run.panels = w.data();
  run.panel_bytes = w.panel_bytes();
  run.rows = w.rows();
  run.k = w.k();
  if (takes_quantized(w.type())) {
    run.codes = x.quantized->codes();
    run.code_stride = x.quantized->code_stride();
    run.scales = x.quantized->scales();
    run.scale_stride = x.quantized->scale_stride();
  } else {
    run.x = x.x;
    run.x_stride = x.stride;
  }
  run.y = product.y;
  run.y_stride = product.stride;
  run.accumulate = product.accumulate;
  run.output_scale = w.output_scale();
  return run;
}

std::size_t columns_per_block(WeightType type, std::size_t k) {
  const auto column_bytes = takes_quantized(type) ? k + k / group_elements * sizeof(GroupScale) : k * sizeof(float);
  return std::max(column_unit, column_block_bytes / std::max<std::size_t>(column_bytes, 1) / column_unit * column_unit);
}

void check(const Product& product, const Activations& x) {
  SPILLWAY_ASSERT(product.weights != nullptr && product.y != nullptr);
  SPILLWAY_ASSERT(product.weights->k() == x.k);
  SPILLWAY_ASSERT(x.n <= 1 || product.stride >= product.weights->rows());
  if (takes_quantized(product.weights->type())) {
    SPILLWAY_ASSERT(x.quantized != nullptr && x.quantized->rows() == x.n && x.quantized->k() == x.k);
  } else {
    SPILLWAY_ASSERT(x.x != nullptr && (x.n <= 1 || x.stride >= x.k));
  }
}

/// The panels [begin, end) of one product, in blocks of columns.
void multiply(const Product& product, const Activations& x, const MatmulKernels& kernels, std::size_t begin, std::size_t end) {
  const auto type = product.weights->type();
  const auto kernel = kernel_of(kernels, type);
  const auto block = columns_per_block(type, x.k);
  auto run = run_of(product, x);
  run.panel_begin = begin;
  run.panel_end = end;
  for (std::size_t column = 0; column < x.n; column += block) {
    run.column_begin = column;
    run.column_end = std::min(x.n, column + block);
    kernel(run);
  }
}

}  // namespace

void matmul(std::span<const Product> products, const Activations& x, ThreadPool& pool) {
  if (x.n == 0) return;
  const auto isa = current_isa();
  std::size_t panels = 0;
  for (const auto& product : products) {
    check(product, x);
    count_matmul(isa, x.n);
    panels += product.weights->panels();
  }
  const auto& kernels = kernels_of(isa);
  // The panels of all products form one line, cut into equal slices; a slice may cover the end of one and the start of the next.
  const auto slices = std::min<std::size_t>(panels, pool.threads() == 1 ? 1 : pool.threads() * slices_per_thread);
  pool.parallel(slices, [&](std::size_t slice, unsigned) {
    const auto begin = panels * slice / slices;
    const auto end = panels * (slice + 1) / slices;
    std::size_t first = 0;  // of this product, along the line
    for (const auto& product : products) {
      const auto count = product.weights->panels();
      const auto from = std::max(begin, first);
      const auto to = std::min(end, first + count);
      if (from < to) multiply(product, x, kernels, from - first, to - first);
      first += count;
    }
  });
}

}  // namespace spillway::kernels
