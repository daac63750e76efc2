#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "kernels/pack.h"
#include "kernels/thread_pool.h"
#include "model/gguf.h"

namespace spillway::model {

/// Takes tensors by name, remembers which were taken and keeps the first error, so that binding reads as a list. After an error
/// everything it returns is empty.
class Binder {
 public:
  /// `file` and `pool` outlive this. `architecture` is named in errors.
  Binder(const GgufFile& file, std::string_view architecture, kernels::ThreadPool& pool)
      : file_{file}, architecture_{architecture}, pool_{pool} {}

  bool ok() const { return !error_; }
  core::Error error() const { return *error_; }
  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

  /// W[rows, k]; in the file dims = [k, rows]. A tensor "NAME.scale" of one value beside "NAME.weight" multiplies its products, as
  /// files of NVFP4 have it. Errors: bad_file (missing, another shape, what PackedMatrix::pack refuses), unsupported (a type without
  /// products).
  std::optional<kernels::PackedMatrix> matrix(const std::string& name, std::uint64_t rows, std::uint64_t k);

  /// F32 [n]. Errors: bad_file (missing, another shape, a value that is not finite), unsupported (another type).
  std::vector<float> vector(const std::string& name, std::uint64_t n);
  /// Empty where the file has no such tensor.
  std::vector<float> vector_if_there(const std::string& name, std::uint64_t n);

  /// A tensor that nobody took would change the result if we knew what it is for. Error: unsupported.
  void refuse_others();

 private:
  std::optional<core::Bytes> take(const std::string& name, const std::vector<std::uint64_t>& want);
  void set(core::Errc code, std::string message);

  const GgufFile& file_;
  std::string_view architecture_;
  kernels::ThreadPool& pool_;
  std::set<std::string_view> taken_;
  std::optional<core::Error> error_;
};

/// Digest of names, types, shapes and bytes of all tensors, in order of name.
core::Result<core::U128> tensor_digest(const GgufFile& file);

}  // namespace spillway::model
