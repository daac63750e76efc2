#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/float16.h"
#include "kernels/matmul_kernels.h"
#include "kernels/pack_blocks.h"

// The definition that the other instruction sets must equal, for any x86-64 (std::fma is correctly rounded with or without the
// instruction). Written so that the compiler can vectorise the integer dot: a group of a panel is unpacked to int16 once and
// used for a block of columns.
namespace spillway::kernels {

namespace {

using layout::panel_rows;

constexpr std::size_t columns_max = 32;  ///< columns that share an unpacked group

using Lanes = float[panel_rows];

void store(const PanelRun& run, std::size_t panel, std::size_t column, const Lanes& acc) {
  const auto row = panel * panel_rows;
  auto* const y = run.y + column * run.y_stride + row;
  const auto count = std::min(panel_rows, run.rows - row);
  for (std::size_t lane = 0; lane < count; ++lane) {
    const auto value = acc[lane] * run.output_scale;
    y[lane] = run.accumulate ? y[lane] + value : value;
  }
}

template <std::size_t count>
std::int32_t dot(const std::int16_t* w, const std::int16_t* x) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += w[i] * x[i];
  return sum;
}

/// One group of one row, by its rule. x: its 32 codes.
template <ScaleRule rule, bool has_min>
float add_group(const UnpackedGroup& w, const std::int16_t* x, const GroupScale& scale, float acc) {
  if constexpr (rule == ScaleRule::group) {
    const auto d = w.d[0] * static_cast<float>(w.scale[0]);
    acc = std::fma(d * scale.scale, static_cast<float>(dot<group_elements>(w.code, x)), acc);
    if (has_min) acc = std::fma(w.m * static_cast<float>(w.min[0]) * scale.scale, scale.sum, acc);
    return acc;
  }
  const auto first = dot<group_elements / 2>(w.code, x);
  const auto last = dot<group_elements / 2>(w.code + group_elements / 2, x + group_elements / 2);
  if constexpr (rule == ScaleRule::half_groups) {
    acc = std::fma(w.d[0] * scale.scale, static_cast<float>(first), acc);
    return std::fma(w.d[1] * scale.scale, static_cast<float>(last), acc);
  }
  acc = std::fma(w.d[0] * scale.scale, static_cast<float>(w.scale[0] * first + w.scale[1] * last), acc);
  if (has_min) {
    const auto sum = w.min[0] * scale.half_sums[0] + w.min[1] * scale.half_sums[1];
    acc = std::fma(w.m * scale.scale, static_cast<float>(sum), acc);
  }
  return acc;
}

template <WeightType type, ScaleRule rule, bool has_min>
void multiply_quantized(const PanelRun& run) {
  UnpackedGroup w[panel_rows];
  for (auto panel = run.panel_begin; panel < run.panel_end; ++panel)
    for (auto first = run.column_begin; first < run.column_end; first += columns_max) {
      const auto columns = std::min(columns_max, run.column_end - first);
      Lanes acc[columns_max] = {};
      for (std::size_t group = 0; group < run.k / group_elements; ++group) {
        for (std::size_t lane = 0; lane < panel_rows; ++lane)
          unpack_group(type, run.panels + panel * run.panel_bytes, group, lane, w[lane]);
        for (std::size_t c = 0; c < columns; ++c) {
          const auto* const codes = run.codes + (first + c) * run.code_stride + group * group_elements;
          std::int16_t x[group_elements];
          std::copy(codes, codes + group_elements, x);
          const auto& scale = run.scales[(first + c) * run.scale_stride + group];
          for (std::size_t lane = 0; lane < panel_rows; ++lane) acc[c][lane] = add_group<rule, has_min>(w[lane], x, scale, acc[c][lane]);
        }
      }
      for (std::size_t c = 0; c < columns; ++c) store(run, panel, first + c, acc[c]);
    }
}

/// 16 weights at one k.
template <WeightType type>
void load(const std::byte* panel, std::size_t i, Lanes& to) {
  if constexpr (type == WeightType::f32) {
    std::memcpy(to, panel + i * sizeof to, sizeof to);
    return;
  }
  std::uint16_t halves[panel_rows];
  std::memcpy(halves, panel + i * sizeof halves, sizeof halves);
  for (std::size_t lane = 0; lane < panel_rows; ++lane)
    to[lane] = type == WeightType::f16 ? f16_to_f32(halves[lane]) : std::bit_cast<float>(std::uint32_t{halves[lane]} << 16);
}

template <WeightType type>
void multiply_float(const PanelRun& run) {
  Lanes w;
  for (auto panel = run.panel_begin; panel < run.panel_end; ++panel)
    for (auto first = run.column_begin; first < run.column_end; first += columns_max) {
      const auto columns = std::min(columns_max, run.column_end - first);
      Lanes acc[columns_max] = {};
      for (std::size_t i = 0; i < run.k; ++i) {
        load<type>(run.panels + panel * run.panel_bytes, i, w);
        for (std::size_t c = 0; c < columns; ++c) {
          const auto x = run.x[(first + c) * run.x_stride + i];
          for (std::size_t lane = 0; lane < panel_rows; ++lane) acc[c][lane] = std::fma(x, w[lane], acc[c][lane]);
        }
      }
      for (std::size_t c = 0; c < columns; ++c) store(run, panel, first + c, acc[c]);
    }
}

using enum WeightType;
constexpr auto by_group = ScaleRule::group;
constexpr auto by_halves = ScaleRule::half_groups;
constexpr auto by_numbers = ScaleRule::whole_numbers;

}  // namespace

const MatmulKernels matmul_kernels_scalar{
    .f32 = multiply_float<f32>,
    .f16 = multiply_float<f16>,
    .bf16 = multiply_float<bf16>,
    .q4_0 = multiply_quantized<q4_0, by_group, false>,
    .q4_1 = multiply_quantized<q4_1, by_group, true>,
    .q5_0 = multiply_quantized<q5_0, by_group, false>,
    .q5_1 = multiply_quantized<q5_1, by_group, true>,
    .q8_0 = multiply_quantized<q8_0, by_group, false>,
    .q2_k = multiply_quantized<q2_k, by_numbers, true>,
    .q3_k = multiply_quantized<q3_k, by_numbers, false>,
    .q4_k = multiply_quantized<q4_k, by_group, true>,
    .q5_k = multiply_quantized<q5_k, by_group, true>,
    .q6_k = multiply_quantized<q6_k, by_numbers, false>,
    .iq4_nl = multiply_quantized<iq4_nl, by_group, false>,
    .tq2_0 = multiply_quantized<tq2_0, by_group, false>,
    .mxfp4 = multiply_quantized<mxfp4, by_group, false>,
    .nvfp4 = multiply_quantized<nvfp4, by_halves, false>,
    .q1_0 = multiply_quantized<q1_0, by_group, false>,
    .q2_0 = multiply_quantized<q2_0, by_group, false>,
    .q2_0_g128 = multiply_quantized<q2_0_g128, by_group, false>,
};

}  // namespace spillway::kernels
