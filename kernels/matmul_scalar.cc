#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/float16.h"
#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// The definition that the other instruction sets must equal, for any x86-64 (std::fma is correctly rounded with or without the
// instruction). Written so that the compiler can vectorise the integer dot: a group of a panel is unpacked to int16 once and
// used for a block of columns.
namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t group_size = 32;
constexpr std::size_t columns_max = 32;  ///< columns that share an unpacked group

using Codes = std::int16_t[panel_rows][group_size];
using Lanes = float[panel_rows];

void load_halves(const std::byte* from, Lanes& to) {
  std::uint16_t halves[panel_rows];
  std::memcpy(halves, from, sizeof halves);
  for (std::size_t lane = 0; lane < panel_rows; ++lane) to[lane] = f16_to_f32(halves[lane]);
}

void store(const PanelRun& run, std::size_t panel, std::size_t column, const Lanes& acc) {
  const auto row = panel * panel_rows;
  auto* const y = run.y + column * run.y_stride + row;
  const auto count = std::min(panel_rows, run.rows - row);
  for (std::size_t lane = 0; lane < count; ++lane) y[lane] = run.accumulate ? y[lane] + acc[lane] : acc[lane];
}

void unpack_q4_1(const std::byte* codes, Codes& out) {
  for (std::size_t lane = 0; lane < panel_rows; ++lane)
    for (std::size_t i = 0; i < 16; ++i) {
      const auto code = std::to_integer<unsigned>(codes[i / 4 * vector_bytes + lane * 4 + i % 4]);
      out[lane][i] = static_cast<std::int16_t>(code & 15u);
      out[lane][i + 16] = static_cast<std::int16_t>(code >> 4);
    }
}

void unpack_q8_0(const std::byte* codes, Codes& out) {
  for (std::size_t lane = 0; lane < panel_rows; ++lane)
    for (std::size_t i = 0; i < group_size; ++i)
      out[lane][i] = static_cast<std::int16_t>(std::to_integer<int>(codes[i / 4 * vector_bytes + lane * 4 + i % 4]) - 128);
}

std::int32_t dot(const std::int16_t* w, const std::int16_t* x) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < group_size; ++i) sum += w[i] * x[i];
  return sum;
}

/// acc = fma(d * scale, dot, acc), and with a minimum acc = fma(m * scale, sum, acc).
void add_group(const PanelRun& run, std::size_t column, std::size_t group, const Codes& codes, const Lanes& d, const Lanes* m, Lanes& acc) {
  const auto& scale = run.scales[column * run.scale_stride + group];
  const auto* const x = run.codes + column * run.code_stride + group * group_size;
  std::int16_t wide[group_size];
  std::copy(x, x + group_size, wide);
  for (std::size_t lane = 0; lane < panel_rows; ++lane) {
    acc[lane] = std::fma(d[lane] * scale.scale, static_cast<float>(dot(codes[lane], wide)), acc[lane]);
    if (m != nullptr) acc[lane] = std::fma((*m)[lane] * scale.scale, scale.sum, acc[lane]);
  }
}

template <bool has_min>
void multiply_quantized(const PanelRun& run) {
  Codes codes;
  Lanes d;
  Lanes m;
  for (auto panel = run.panel_begin; panel < run.panel_end; ++panel)
    for (auto first = run.column_begin; first < run.column_end; first += columns_max) {
      const auto columns = std::min(columns_max, run.column_end - first);
      Lanes acc[columns_max] = {};
      const auto* const data = run.panels + panel * run.panel_bytes;
      for (std::size_t group = 0; group < run.k / group_size; ++group) {
        if constexpr (has_min) {
          const auto* const block = data + group * q4_1_group_bytes;
          load_halves(block, d);
          load_halves(block + q4_1_min_offset, m);
          unpack_q4_1(block + q4_1_code_offset, codes);
        } else {
          const auto* const pair = data + group / 2 * q8_0_pair_bytes;
          load_halves(pair + group % 2 * scales_bytes, d);
          unpack_q8_0(pair + q8_0_code_offset + group % 2 * q8_0_group_code_bytes, codes);
        }
        for (std::size_t c = 0; c < columns; ++c) add_group(run, first + c, group, codes, d, has_min ? &m : nullptr, acc[c]);
      }
      for (std::size_t c = 0; c < columns; ++c) store(run, panel, first + c, acc[c]);
    }
}

template <bool half>
void multiply_float(const PanelRun& run) {
  Lanes w;
  for (auto panel = run.panel_begin; panel < run.panel_end; ++panel)
    for (auto first = run.column_begin; first < run.column_end; first += columns_max) {
      const auto columns = std::min(columns_max, run.column_end - first);
      Lanes acc[columns_max] = {};
      const auto* const data = run.panels + panel * run.panel_bytes;
      for (std::size_t i = 0; i < run.k; ++i) {
        if constexpr (half) {
          load_halves(data + i * panel_rows * 2, w);
        } else {
          std::memcpy(w, data + i * panel_rows * 4, sizeof w);
        }
        for (std::size_t c = 0; c < columns; ++c) {
          const auto x = run.x[(first + c) * run.x_stride + i];
          for (std::size_t lane = 0; lane < panel_rows; ++lane) acc[c][lane] = std::fma(x, w[lane], acc[c][lane]);
        }
      }
      for (std::size_t c = 0; c < columns; ++c) store(run, panel, first + c, acc[c]);
    }
}

}  // namespace

const MatmulKernels matmul_kernels_scalar{multiply_float<false>, multiply_float<true>, multiply_quantized<true>, multiply_quantized<false>};

}  // namespace spillway::kernels
