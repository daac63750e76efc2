#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/bytes.h"
#include "core/result.h"
#include "kernels/thread_pool.h"
#include "kernels/weight_type.h"

namespace spillway::kernels {

/// A weight matrix W[rows, k] in the order in which the products read it: see pack_layout.h. Made once from the file's bytes,
/// which are not needed afterwards; never dequantised as a whole. Costs the file's bytes, rows rounded up to 16, and what
/// pack_layout.h says of types that are expanded. Immutable once loaded, so any thread may read it.
class PackedMatrix {
 public:
  /// `raw` is the tensor as the file has it: `rows` rows of `k` elements one after the other, at any alignment.
  /// Errors (bad_file): k not whole blocks, a size that does not fit, a scale, minimum or element that is not finite (of MXFP4 an
  /// exponent that makes elements so).
  /// `pool` may be null: then the calling thread does it alone.
  static core::Result<PackedMatrix> pack(WeightType type, core::Bytes raw, std::size_t rows, std::size_t k, ThreadPool* pool);

  WeightType type() const { return type_; }
  std::size_t rows() const { return rows_; }
  std::size_t k() const { return k_; }
  /// Bytes held, padding included.
  std::size_t bytes() const { return panels() * panel_bytes_; }

  /// A factor of all elements that the file keeps beside the tensor ("<name>.scale"); 1 at first. Products apply it to a finished
  /// sum, dequantize_row to each element.
  float output_scale() const { return output_scale_; }
  void set_output_scale(float scale) { output_scale_ = scale; }

  /// out[k] = row `row` of W as `dequantize` gives it, bit for bit, times output_scale().
  void dequantize_row(std::size_t row, float* out) const;

  // For the products.
  const std::byte* data() const { return data_.get(); }
  std::size_t panels() const;
  std::size_t panel_bytes() const { return panel_bytes_; }

 private:
  void read_row(std::size_t row, float* out) const;
  PackedMatrix(WeightType type, std::size_t rows, std::size_t k, std::size_t panel_bytes);

  WeightType type_;
  std::size_t rows_;
  std::size_t k_;
  std::size_t panel_bytes_;
  float output_scale_ = 1;
  std::shared_ptr<std::byte> data_;
};

}  // namespace spillway::kernels
