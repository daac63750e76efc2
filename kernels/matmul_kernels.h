#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/quantize_layout.h"

namespace spillway::kernels {

/// A run of panels times a run of columns (rows of x), for one thread. Plain data: the files of the instruction sets include
/// nothing else.
struct PanelRun {
  const std::byte* panels;  ///< of the whole matrix
  std::size_t panel_bytes;
  std::size_t panel_begin;
  std::size_t panel_end;
  std::size_t rows;  ///< of the matrix: the last panel may be partly padding
  std::size_t k;
  const float* x;
  std::size_t x_stride;
  const std::int8_t* codes;
  std::size_t code_stride;
  const GroupScale* scales;
  std::size_t scale_stride;
  std::size_t column_begin;
  std::size_t column_end;
  float* y;
  std::size_t y_stride;
  bool accumulate;
  float output_scale;
};

using PanelKernel = void (*)(const PanelRun&);

/// The products of one instruction set.
struct MatmulKernels {
  PanelKernel f32;
  PanelKernel f16;
  PanelKernel bf16;
  PanelKernel q4_0;
  PanelKernel q4_1;
  PanelKernel q5_0;
  PanelKernel q5_1;
  PanelKernel q8_0;
  PanelKernel q2_k;
  PanelKernel q3_k;
  PanelKernel q4_k;
  PanelKernel q5_k;
  PanelKernel q6_k;
  PanelKernel iq4_nl;
  PanelKernel tq2_0;  ///< and TQ1_0
  PanelKernel mxfp4;
  PanelKernel nvfp4;
  PanelKernel q1_0;
  PanelKernel q2_0;
  PanelKernel q2_0_g128;
};

extern const MatmulKernels matmul_kernels_scalar;
extern const MatmulKernels matmul_kernels_avx2;
extern const MatmulKernels matmul_kernels_avx512;

}  // namespace spillway::kernels
