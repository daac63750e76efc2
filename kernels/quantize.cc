#include "kernels/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/assert.h"
#include "kernels/isa.h"
#include "kernels/weight_type.h"

namespace spillway::kernels {

namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t rows_per_slice = 8;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Bytes from row to row: whole lines, and not a multiple of 1 KiB, or the eight rows a product reads side by side would fall
/// into the same few sets of the first cache.
std::size_t stride_of(std::size_t k) {
  return round_up(k, line_bytes) + (k % 1024 == 0 ? line_bytes : 0);
}

template <class T>
T* allocate(std::size_t count) {
  auto* memory = std::aligned_alloc(line_bytes, round_up(std::max<std::size_t>(count, 1) * sizeof(T), line_bytes));
  SPILLWAY_ASSERT(memory != nullptr);
  return static_cast<T*>(memory);
}

QuantizeRow kernel(Isa isa) {
  switch (isa) {
    case Isa::scalar: return quantize_row_scalar;
#if defined(__x86_64__)
    case Isa::avx2: return quantize_row_avx2;
    case Isa::avx512: return quantize_row_avx512;
#else
    default: break;
#endif
  }
  return quantize_row_scalar;
}

}  // namespace

void QuantizedRows::Free::operator()(void* memory) const {
  std::free(memory);
}

QuantizedRows::QuantizedRows(std::size_t rows_max, std::size_t k_max)
    : rows_max_{rows_max},
      k_max_{k_max},
      codes_{allocate<std::int8_t>(rows_max * (round_up(k_max, line_bytes) + line_bytes))},
      scales_{allocate<GroupScale>(rows_max * (k_max / group_elements))} {}

void QuantizedRows::assign(const float* x, std::size_t rows, std::size_t k, std::size_t stride, ThreadPool& pool) {
  SPILLWAY_ASSERT(rows <= rows_max_ && k <= k_max_ && k % group_elements == 0);
  const auto isa = current_isa();
  count_call(isa);
  const auto quantize = kernel(isa);
  rows_ = rows;
  k_ = k;
  code_stride_ = stride_of(k);
  scale_stride_ = k / group_elements;
  pool.parallel((rows + rows_per_slice - 1) / rows_per_slice, [&](std::size_t slice, unsigned) {
    const auto end = std::min(rows, (slice + 1) * rows_per_slice);
    for (auto row = slice * rows_per_slice; row < end; ++row)
      quantize(x + row * stride, scale_stride_, codes_.get() + row * code_stride_, scales_.get() + row * scale_stride_);
  });
}

void quantize_row_scalar(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales) {
  for (std::size_t group = 0; group < groups; ++group, x += group_elements, codes += group_elements) {
    // As integers the magnitudes order like the numbers, and NaN and infinity lie above all of them.
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < group_elements; ++i) largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
    const bool finite = largest < 0x7f800000u;
    const auto scale = finite ? std::bit_cast<float>(largest) / 127.0f : std::numeric_limits<float>::quiet_NaN();
    std::int16_t sums[2] = {};
    for (std::size_t i = 0; i < group_elements; ++i) {
      const auto rounded = finite && scale > 0 ? std::nearbyint(x[i] / scale) : 0.0f;
      // The clamp acts only where the scale is subnormal and so coarse that it was rounded down by more than 1 in 254.
      codes[i] = static_cast<std::int8_t>(std::clamp(rounded, -127.0f, 127.0f));
      sums[i / 16] = static_cast<std::int16_t>(sums[i / 16] + codes[i]);
    }
    const int sum = sums[0] + sums[1];
    scales[group] = {scale, static_cast<float>(sum), -128 * sum, {sums[0], sums[1]}};
  }
}

}  // namespace spillway::kernels
