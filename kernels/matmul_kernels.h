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

// The table of an instruction set, whose file has the names used here: the kernel of each type from how its codes and its scales
// are read and where they lie.
#define SPILLWAY_MATMUL_KERNELS                                                                                    \
  {                                                                                                                \
    .f32 = multiply<Float<F32>>, .f16 = multiply<Float<F16>>, .bf16 = multiply<Float<Bf16>>,                       \
    .q4_0 = multiply<Quantized<Bits4<8>, Plain<1>, q4_0>>, .q4_1 = multiply<Quantized<Bits4<0>, WithMin, q4_1>>,   \
    .q5_0 = multiply<Quantized<Bits5<16>, Plain<1>, q5_0>>, .q5_1 = multiply<Quantized<Bits5<0>, WithMin, q5_1>>,  \
    .q8_0 = multiply<Quantized<Bits8, Plain<1>, q8_0>>, .q2_k = multiply<Quantized<Bits2<0>, NibbleHalves, q2_k>>, \
    .q3_k = multiply<Quantized<Bits3, SignedHalves, q3_k>>, .q4_k = multiply<Quantized<Bits4<0>, KScales, q4_k>>,  \
    .q5_k = multiply<Quantized<Bits5<0>, KScales, q5_k>>, .q6_k = multiply<Quantized<Bits6, SignedHalves, q6_k>>,  \
    .iq4_nl = multiply<Quantized<Iq4, Plain<1>, q4_0>>, .tq2_0 = multiply<Quantized<Bits2<1>, Plain<8>, tq2_0>>,   \
    .mxfp4 = multiply<Quantized<Fp4, Exponents, mxfp4>>, .nvfp4 = multiply<Quantized<Fp4, E4m3Halves, nvfp4>>,     \
    .q1_0 = multiply<Quantized<Bits1, Plain<4>, q1_0>>, .q2_0 = multiply<Quantized<Bits2<1>, Plain<2>, q2_0>>,     \
    .q2_0_g128 = multiply<Quantized<Bits2<1>, Plain<4>, q2_0_g128>>,                                               \
  }
