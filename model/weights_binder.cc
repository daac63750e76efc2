#include "model/weights_binder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "core/digest.h"

namespace spillway::model {

using core::Errc;
using kernels::PackedMatrix;

namespace {

constexpr std::string_view weight_ending = ".weight";

std::string shape_text(std::span<const std::uint64_t> dims) {
  std::string text = "[";
  for (const auto dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

}  // namespace

std::optional<PackedMatrix> Binder::matrix(const std::string& name, std::uint64_t rows, std::uint64_t k) {
  const auto bytes = take(name, {k, rows});
  if (!bytes) return std::nullopt;
  const auto type = kernels::weight_type_of(*file_.find_tensor(name)->layout);
  if (!type) {
    set(Errc::unsupported,
        "tensor \"" + name + "\": type " + file_.find_tensor(name)->type_name() + "; want one of " + kernels::decodable_types());
    return std::nullopt;
  }
  auto packed = PackedMatrix::pack(*type, *bytes, rows, k, &pool_);
  if (!packed) {
    set(packed.error().code, "tensor \"" + name + "\": " + packed.error().message);
    return std::nullopt;
  }
  if (name.ends_with(weight_ending)) {
    const auto scale = vector_if_there(name.substr(0, name.size() - weight_ending.size()) + ".scale", 1);
    if (!scale.empty()) packed->set_output_scale(scale[0]);
  }
  return std::move(*packed);
}

std::vector<float> Binder::vector(const std::string& name, std::uint64_t n) {
  const auto bytes = take(name, {n});
  if (!bytes) return {};
  if (file_.find_tensor(name)->type != tensor_f32) {
    set(Errc::unsupported, "tensor \"" + name + "\": type " + file_.find_tensor(name)->type_name() + "; want F32");
    return {};
  }
  std::vector<float> values(n);
  std::memcpy(values.data(), bytes->data(), n * sizeof(float));
  for (const float value : values) {
    if (std::isfinite(value)) continue;
    set(Errc::bad_file, "tensor \"" + name + "\": a value that is not finite");
    return {};
  }
  return values;
}

std::vector<float> Binder::vector_if_there(const std::string& name, std::uint64_t n) {
  return has(name) ? vector(name, n) : std::vector<float>{};
}

void Binder::refuse_others() {
  for (const auto& tensor : file_.tensors())
    if (!taken_.contains(tensor.name))
      set(Errc::unsupported,
          "tensor " + in_quotes(tensor.name) + ": not known to the " + std::string{architecture_} + " graph of this version");
}

std::optional<core::Bytes> Binder::take(const std::string& name, const std::vector<std::uint64_t>& want) {
  if (error_) return std::nullopt;
  const auto* tensor = file_.find_tensor(name);
  if (tensor == nullptr) {
    set(Errc::bad_file, "tensor \"" + name + "\" is missing; want shape " + shape_text(want));
    return std::nullopt;
  }
  auto got = std::vector<std::uint64_t>(tensor->dims.begin(), tensor->dims.begin() + tensor->dims_count);
  while (got.size() > want.size() && got.back() == 1) got.pop_back();
  if (got != want) {
    set(Errc::bad_file, "tensor \"" + name + "\": shape " + shape_text(got) + "; want " + shape_text(want));
    return std::nullopt;
  }
  auto bytes = file_.tensor_bytes(*tensor);
  if (!bytes) {
    set(bytes.error().code, bytes.error().message);
    return std::nullopt;
  }
  taken_.insert(tensor->name);
  return *bytes;
}

void Binder::set(Errc code, std::string message) {
  if (!error_) error_ = core::Error{code, std::move(message), {}};
}

core::Result<core::U128> tensor_digest(const GgufFile& file) {
  std::vector<const GgufTensor*> tensors;
  for (const auto& tensor : file.tensors()) tensors.push_back(&tensor);
  std::sort(tensors.begin(), tensors.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  core::Digest128 digest;
  digest.add_text("spillway weights 1").add_u64(tensors.size());
  for (const auto* tensor : tensors) {
    const auto bytes = file.tensor_bytes(*tensor);
    if (!bytes) return tl::make_unexpected(bytes.error());
    digest.add_text(tensor->name).add_u64(tensor->type);
    for (const auto dim : tensor->dims) digest.add_u64(dim);
    digest.add_u64(bytes->size()).add(*bytes);
  }
  return digest.finish();
}

}  // namespace spillway::model
