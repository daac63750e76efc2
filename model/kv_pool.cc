#include "model/kv_pool.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "core/assert.h"

namespace spillway::model {

using core::Errc;
using core::fail;

core::Result<KvPool> KvPool::make(std::size_t planes, std::size_t plane_row_bytes, std::uint32_t blocks) {
  std::size_t page = 0;
  std::size_t total = 0;
  if (__builtin_mul_overflow(planes * 16, plane_row_bytes, &page) || __builtin_mul_overflow(page, std::size_t{blocks}, &total))
    return fail(Errc::bad_argument, "KV pool: " + std::to_string(blocks) + " blocks do not fit in memory");
  if (total == 0 || page % 64 != 0)
    return fail(Errc::bad_argument, "KV pool: " + std::to_string(blocks) + " blocks of " + std::to_string(page) +
                                        " bytes; want at least one block and a page size that is a multiple of 64");
  void* memory = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return fail(Errc::io, "KV pool: the system refused " + std::to_string(total) + " bytes: " + std::strerror(errno) +
                              "; give the node less memory for KV");
  constexpr std::size_t large_page = 64 << 10;  // where pages are small, scattered use would fill whole huge pages with nothing
  if (page >= large_page) ::madvise(memory, total, MADV_HUGEPAGE);  // a wish only
  KvPool pool;
  pool.base_ = static_cast<std::byte*>(memory);
  pool.planes_ = planes;
  pool.plane_row_bytes_ = plane_row_bytes;
  pool.blocks_ = blocks;
  return pool;
}

KvPool::KvPool(KvPool&& other) noexcept
    : base_{std::exchange(other.base_, nullptr)},
      planes_{other.planes_},
      plane_row_bytes_{other.plane_row_bytes_},
      blocks_{std::exchange(other.blocks_, 0)} {}

KvPool& KvPool::operator=(KvPool&& other) noexcept {
  std::swap(base_, other.base_);
  std::swap(planes_, other.planes_);
  std::swap(plane_row_bytes_, other.plane_row_bytes_);
  std::swap(blocks_, other.blocks_);
  return *this;
}

KvPool::~KvPool() {
  if (base_ != nullptr) ::munmap(base_, page_bytes() * blocks_);
}

void KvPool::read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) const {
  SPILLWAY_ASSERT(block < blocks_ && first_row <= 16 && rows <= 16 - first_row && out.size() == rows * row_bytes());
  const std::size_t run = rows * plane_row_bytes_;
  if (run == 0) return;
  const std::byte* from = page(block) + first_row * plane_row_bytes_;
  for (std::size_t plane = 0; plane < planes_; ++plane) std::memcpy(out.data() + plane * run, from + plane * 16 * plane_row_bytes_, run);
}

void KvPool::write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) {
  SPILLWAY_ASSERT(block < blocks_ && first_row <= 16 && rows <= 16 - first_row && in.size() == rows * row_bytes());
  const std::size_t run = rows * plane_row_bytes_;
  if (run == 0) return;
  std::byte* to = page(block) + first_row * plane_row_bytes_;
  for (std::size_t plane = 0; plane < planes_; ++plane) std::memcpy(to + plane * 16 * plane_row_bytes_, in.data() + plane * run, run);
}

void KvPool::copy_rows(core::BlockId from, core::BlockId to, std::uint32_t rows) {
  SPILLWAY_ASSERT(from < blocks_ && to < blocks_ && from != to && rows <= 16);
  for (std::size_t plane = 0; plane < planes_; ++plane) {
    const std::size_t at = plane * 16 * plane_row_bytes_;
    std::memcpy(page(to) + at, page(from) + at, rows * plane_row_bytes_);
  }
}

}  // namespace spillway::model
