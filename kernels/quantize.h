#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/quantize_layout.h"
#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// Workspace for the int8 form of activations: made once per step and layer input, then read by every matrix that takes it.
///
/// For each row and each group of 32 along k (numerics contract, rule 3):
///   scale = absmax / 127 in f32;  q = rint(x / scale), ties to even, kept within [-127, 127]
///   absmax = 0, or a scale that underflows to 0: all q = 0, scale = 0
///   a NaN or an infinity in the group: all q = 0, scale = NaN, so that every output of the row is NaN
/// A row's result depends on that row alone.
class QuantizedRows {
 public:
  /// Room for `rows_max` rows of at most `k_max` elements; the only allocation.
  QuantizedRows(std::size_t rows_max, std::size_t k_max);

  /// Replaces the contents by those of x[rows, k], whose rows are `stride` floats apart.
  /// `rows` <= rows_max, `k` <= k_max and whole groups: SPILLWAY_ASSERT. Uses the pool for many rows.
  void assign(const float* x, std::size_t rows, std::size_t k, std::size_t stride, ThreadPool& pool);

  std::size_t rows() const { return rows_; }
  std::size_t k() const { return k_; }
  /// q[row]: k int8 codes.
  const std::int8_t* codes(std::size_t row = 0) const { return codes_.get() + row * code_stride_; }
  /// k/32 groups of the row.
  const GroupScale* scales(std::size_t row = 0) const { return scales_.get() + row * scale_stride_; }
  std::size_t code_stride() const { return code_stride_; }    ///< in bytes
  std::size_t scale_stride() const { return scale_stride_; }  ///< in groups

 private:
  struct Free {
    void operator()(void* memory) const;
  };
  std::size_t rows_max_;
  std::size_t k_max_;
  std::size_t rows_ = 0;
  std::size_t k_ = 0;
  std::size_t code_stride_ = 0;
  std::size_t scale_stride_ = 0;
  std::unique_ptr<std::int8_t[], Free> codes_;
  std::unique_ptr<GroupScale[], Free> scales_;
};

}  // namespace spillway::kernels
