#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

namespace spillway::model {

/// Device memory of the KV pages of one replica: `blocks` pages of equal size, one after the other, 64-byte aligned, mapped with
/// huge pages where the system grants them. A page is `planes` planes ((layer, K or V, head)) of 16 rows of `plane_row_bytes`.
class KvPool {
 public:
  /// Errors: bad_argument (no plane, page_bytes no multiple of 64, a size that overflows), io (the system refuses the memory).
  static core::Result<KvPool> make(std::size_t planes, std::size_t plane_row_bytes, std::uint32_t blocks);
  KvPool(KvPool&& other) noexcept;
  KvPool& operator=(KvPool&& other) noexcept;
  ~KvPool();

  std::uint32_t blocks() const { return blocks_; }
  std::size_t row_bytes() const { return planes_ * plane_row_bytes_; }
  std::size_t page_bytes() const { return 16 * row_bytes(); }
  std::byte* base() { return base_; }
  const std::byte* base() const { return base_; }
  std::byte* page(core::BlockId block) { return base_ + block * page_bytes(); }
  const std::byte* page(core::BlockId block) const { return base_ + block * page_bytes(); }

  /// As Device::read_rows and write_rows.
  void read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) const;
  void write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in);
  /// Rows [0, rows) of `from` to `to`.
  void copy_rows(core::BlockId from, core::BlockId to, std::uint32_t rows);

 private:
  KvPool() = default;

  std::byte* base_ = nullptr;
  std::size_t planes_ = 0;
  std::size_t plane_row_bytes_ = 0;
  std::uint32_t blocks_ = 0;
};

}  // namespace spillway::model
