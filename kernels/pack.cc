#include "kernels/pack.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/assert.h"
#include "kernels/float16.h"
#include "kernels/pack_blocks.h"
#include "kernels/pack_layout.h"

namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::size_t panel_bytes_of(WeightType type, std::size_t k) {
  switch (type) {
    case WeightType::f32: return k * 64;
    case WeightType::f16:
    case WeightType::bf16: return round_up(k * 32, vector_bytes);
    default: return panel_bytes(packed_format(type).layout, k);
  }
}

bool finite_f16(const std::byte* half) {
  return (std::to_integer<unsigned>(half[1]) & 0x7cu) != 0x7cu;
}
/// Of the upper half of an f32, which is a BF16.
bool finite_upper(const std::byte* half) {
  return (std::to_integer<unsigned>(half[1]) & 0x7fu) != 0x7fu || (std::to_integer<unsigned>(half[0]) & 0x80u) == 0;
}

bool pack_row_f32(const std::byte* row, std::size_t k, std::size_t lane, std::byte* panel) {
  bool finite = true;
  for (std::size_t i = 0; i < k; ++i) {
    finite = finite && finite_upper(row + 4 * i + 2);
    std::memcpy(panel + i * 64 + lane * 4, row + 4 * i, 4);
  }
  return finite;
}

bool pack_row_halves(WeightType type, const std::byte* row, std::size_t k, std::size_t lane, std::byte* panel) {
  bool finite = true;
  for (std::size_t i = 0; i < k; ++i) {
    finite = finite && (type == WeightType::f16 ? finite_f16(row + 2 * i) : finite_upper(row + 2 * i));
    std::memcpy(panel + i * 32 + lane * 2, row + 2 * i, 2);
  }
  return finite;
}

/// Memory of zeros in huge pages where the system has them; nothing if there is none.
std::shared_ptr<std::byte> map(std::size_t bytes) {
  const auto size = round_up(bytes, huge_page_bytes);
  // Room to start at a huge page; what lies before it is never touched and so costs nothing.
  auto* memory = ::mmap(nullptr, size + huge_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* const start = static_cast<std::byte*>(memory);
  auto* const aligned = start + (huge_page_bytes - reinterpret_cast<std::uintptr_t>(start) % huge_page_bytes) % huge_page_bytes;
  ::madvise(aligned, size, MADV_HUGEPAGE);
  return {aligned, [start, size](std::byte*) { ::munmap(start, size + huge_page_bytes); }};
}

/// Small matrices share huge pages: with pages of 4 KiB a step over a model of many small matrices spends much of its time on
/// address translation. A chunk lives as long as a matrix in it does.
std::shared_ptr<std::byte> allocate(std::size_t bytes) {
  constexpr std::size_t chunk_bytes = 4 * huge_page_bytes;
  if (bytes > chunk_bytes / 2) return map(bytes);
  static std::mutex mutex;
  static std::weak_ptr<std::byte> current;
  static std::size_t used = 0;
  const std::lock_guard lock{mutex};
  auto chunk = current.lock();
  if (chunk == nullptr || used + bytes > chunk_bytes) {
    chunk = map(chunk_bytes);
    current = chunk;
    used = 0;
  }
  if (chunk == nullptr) return nullptr;
  auto* const begin = chunk.get() + used;
  used += round_up(bytes, vector_bytes);
  return {std::move(chunk), begin};
}

/// True if all that must be finite is.
bool pack_row(WeightType type, const std::byte* row, std::size_t k, std::size_t lane, std::byte* panel) {
  switch (type) {
    case WeightType::f32: return pack_row_f32(row, k, lane, panel);
    case WeightType::f16:
    case WeightType::bf16: return pack_row_halves(type, row, k, lane, panel);
    default: return pack_quantized_row(type, row, k, lane, panel);
  }
}

std::uint16_t load_u16(const std::byte* from) {
  std::uint16_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

// Fresh pages are zeros, which is what padding rows and unused second halves must be.
PackedMatrix::PackedMatrix(WeightType type, std::size_t rows, std::size_t k, std::size_t panel_bytes)
    : type_{type}, rows_{rows}, k_{k}, panel_bytes_{panel_bytes}, data_{allocate(bytes())} {}

std::size_t PackedMatrix::panels() const {
  return (rows_ + panel_rows - 1) / panel_rows;
}

core::Result<PackedMatrix> PackedMatrix::pack(WeightType type, core::Bytes raw, std::size_t rows, std::size_t k, ThreadPool* pool) {
  const auto describe = [&] {
    return std::string{to_string(type)} + " matrix of " + std::to_string(rows) + " rows of " + std::to_string(k);
  };
  const auto file_row_bytes = row_bytes(type, k);
  if (k % block_type(type).elements != 0)
    return core::fail(core::Errc::bad_file,
                      describe() + ": a row must be whole blocks of " + std::to_string(block_type(type).elements) + " elements");
  if (!file_row_bytes || rows == 0 || k == 0 || *file_row_bytes > std::numeric_limits<std::size_t>::max() / rows ||
      *file_row_bytes * rows != raw.size())
    return core::fail(core::Errc::bad_file, describe() + " does not fit its " + std::to_string(raw.size()) + " bytes");
  // raw.size() is real memory, so the packed sizes below, at most 32 times as large (one short row), cannot overflow.
  PackedMatrix matrix{type, rows, k, panel_bytes_of(type, k)};
  if (matrix.data_ == nullptr) return core::fail(core::Errc::io, describe() + ": no memory");

  std::atomic<std::size_t> bad_row{rows};
  const auto pack_panel = [&](std::size_t panel, unsigned) {
    auto* const out = matrix.data_.get() + panel * matrix.panel_bytes_;
    for (std::size_t row = panel * panel_rows; row < std::min(rows, (panel + 1) * panel_rows); ++row) {
      if (pack_row(type, raw.data() + row * *file_row_bytes, k, row % panel_rows, out)) continue;
      auto seen = bad_row.load();
      while (row < seen && !bad_row.compare_exchange_weak(seen, row)) {
      }
    }
  };
  if (pool != nullptr) {
    pool->parallel(matrix.panels(), pack_panel);
  } else {
    for (std::size_t panel = 0; panel < matrix.panels(); ++panel) pack_panel(panel, 0);
  }
  if (bad_row.load() < rows)
    return core::fail(core::Errc::bad_file, describe() + ": row " + std::to_string(bad_row.load()) + " has a value that is not finite");
  return matrix;
}

void PackedMatrix::dequantize_row(std::size_t row, float* out) const {
  SPILLWAY_ASSERT(row < rows_);
  read_row(row, out);
  if (output_scale_ == 1.0F) return;
  for (std::size_t i = 0; i < k_; ++i) out[i] *= output_scale_;
}

void PackedMatrix::read_row(std::size_t row, float* out) const {
  const auto lane = row % panel_rows;
  const auto* const panel = data_.get() + row / panel_rows * panel_bytes_;
  switch (type_) {
    case WeightType::f32:
      for (std::size_t i = 0; i < k_; ++i) std::memcpy(out + i, panel + i * 64 + lane * 4, 4);
      return;
    case WeightType::f16:
      for (std::size_t i = 0; i < k_; ++i) out[i] = f16_to_f32(load_u16(panel + i * 32 + lane * 2));
      return;
    case WeightType::bf16:
      for (std::size_t i = 0; i < k_; ++i)
        out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(load_u16(panel + i * 32 + lane * 2)) << 16);
      return;
    default: break;
  }
  const bool has_min = packed_format(type_).has_min;
  UnpackedGroup group;
  for (std::size_t first = 0; first < k_; first += group_elements) {
    unpack_group(type_, panel, first / group_elements, lane, group);
    for (std::size_t i = 0; i < group_elements; ++i) {
      const auto half = i / 16;
      const float product = group.d[half] * static_cast<float>(group.scale[half]) * static_cast<float>(group.code[i]);
      out[first + i] = has_min ? product + group.m * static_cast<float>(group.min[half]) : product;
    }
  }
}

}  // namespace spillway::kernels
