#include "model/weights.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <span>
#include <utility>

#include "core/digest.h"
#include "core/step.h"

namespace spillway::model {

using core::Errc;
using core::fail;
using kernels::PackedMatrix;

namespace {

std::string shape_text(std::span<const std::uint64_t> dims) {
  std::string text = "[";
  for (const auto dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + "]";
}

/// Takes tensors by name, remembers which were taken and keeps the first error, so that binding reads as a list.
class Binder {
 public:
  Binder(const GgufFile& file, kernels::ThreadPool& pool) : file_{file}, pool_{pool} {}

  bool ok() const { return !error_; }
  core::Error error() const { return *error_; }
  bool has(const std::string& name) const { return file_.find_tensor(name) != nullptr; }

  /// W[rows, k]; in the file dims = [k, rows].
  std::optional<PackedMatrix> matrix(const std::string& name, std::uint64_t rows, std::uint64_t k) {
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
    return std::move(*packed);
  }

  std::vector<float> vector(const std::string& name, std::uint64_t n) {
    const auto bytes = take(name, {n});
    if (!bytes) return {};
    if (file_.find_tensor(name)->type != tensor_f32) {
      set(Errc::unsupported, "tensor \"" + name + "\": type " + file_.find_tensor(name)->type_name() + "; want F32");
      return {};
    }
    std::vector<float> values(n);
    std::memcpy(values.data(), bytes->data(), n * sizeof(float));
    return values;
  }

  /// A tensor that nobody took would change the result if we knew what it is for.
  void refuse_others() {
    for (const auto& tensor : file_.tensors())
      if (!taken_.contains(tensor.name))
        set(Errc::unsupported, "tensor " + in_quotes(tensor.name) + ": not known to the llama graph of this version");
  }

 private:
  std::optional<core::Bytes> take(const std::string& name, std::vector<std::uint64_t> want) {
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

  void set(Errc code, std::string message) {
    if (!error_) error_ = core::Error{code, std::move(message), {}};
  }

  const GgufFile& file_;
  kernels::ThreadPool& pool_;
  std::set<std::string_view> taken_;
  std::optional<core::Error> error_;
};

/// An unsigned key within [low, high].
core::Result<std::uint32_t> number(const GgufFile& file, const std::string& key, std::uint64_t low, std::uint64_t high,
                                   std::optional<std::uint64_t> fallback = {}) {
  const auto value = file.get_u64(key, fallback);
  if (!value) return tl::make_unexpected(value.error());
  if (*value < low || *value > high)
    return fail(Errc::bad_file, key + " = " + std::to_string(*value) + "; want " + std::to_string(low) + " to " + std::to_string(high));
  return static_cast<std::uint32_t>(*value);
}

core::Result<void> refuse_variants(const GgufFile& file) {
  if (const auto arch = file.get_string("general.architecture"); !arch || *arch != "llama")
    return fail(Errc::unsupported, "general.architecture = " + (arch ? in_quotes(*arch) : "(none)") + "; this version computes \"llama\"");
  if (const auto experts = file.get_u64("llama.expert_count", 0); !experts || *experts != 0)
    return fail(Errc::unsupported, "llama.expert_count is not 0: mixtures of experts are not computed by this version");
  if (const auto scaling = file.get_string("llama.rope.scaling.type", "none"); !scaling || *scaling != "none")
    return fail(Errc::unsupported, "llama.rope.scaling.type is not \"none\": scaled positions are not computed by this version");
  return {};
}

core::Result<LlamaShape> read_shape(const GgufFile& file) {
  if (auto checked = refuse_variants(file); !checked) return tl::make_unexpected(checked.error());
  LlamaShape shape;
  std::uint32_t rope_dims = 0;
  std::uint32_t value_dim = 0;
  const auto read = [&](std::uint32_t& to, const char* key, std::uint64_t low, std::uint64_t high,
                        std::optional<std::uint64_t> fallback = {}) {
    return number(file, std::string{"llama."} + key, low, high, fallback).map([&](std::uint32_t value) { to = value; });
  };
  constexpr std::uint64_t wide = 1U << 20;
  if (auto r = read(shape.layers, "block_count", 1, 4096); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.width, "embedding_length", 1, wide); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.heads, "attention.head_count", 1, 4096); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.kv_heads, "attention.head_count_kv", 1, shape.heads, shape.heads); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.head_dim, "attention.key_length", 2, 4096, shape.width / shape.heads); !r) return tl::make_unexpected(r.error());
  if (auto r = read(value_dim, "attention.value_length", 2, 4096, shape.head_dim); !r) return tl::make_unexpected(r.error());
  if (auto r = read(rope_dims, "rope.dimension_count", 2, 4096, shape.head_dim); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.hidden, "feed_forward_length", 1, wide); !r) return tl::make_unexpected(r.error());
  if (auto r = read(shape.context, "context_length", 1, wide); !r) return tl::make_unexpected(r.error());
  const auto epsilon = file.get_f32("llama.attention.layer_norm_rms_epsilon");
  if (!epsilon) return tl::make_unexpected(epsilon.error());
  const auto base = file.get_f32("llama.rope.freq_base", 10000.0F);
  if (!base) return tl::make_unexpected(base.error());
  if (!(*epsilon >= 0) || !(*epsilon < 1)) return fail(Errc::bad_file, "llama.attention.layer_norm_rms_epsilon is not within [0, 1)");
  if (!(*base >= 1) || !(*base < 1e12F)) return fail(Errc::bad_file, "llama.rope.freq_base is not within [1, 1e12)");
  shape.norm_epsilon = *epsilon;
  shape.rope_base = *base;
  if (shape.heads % shape.kv_heads != 0)
    return fail(Errc::bad_file, "llama.attention.head_count = " + std::to_string(shape.heads) +
                                    " is no multiple of head_count_kv = " + std::to_string(shape.kv_heads));
  if (shape.head_dim % 2 != 0 || rope_dims != shape.head_dim || value_dim != shape.head_dim)
    return fail(Errc::unsupported, "llama: head dimension " + std::to_string(shape.head_dim) + ", of values " + std::to_string(value_dim) +
                                       ", of positions " + std::to_string(rope_dims) + "; want one even number");
  return shape;
}

std::optional<LlamaLayer> bind_layer(Binder& bind, const LlamaShape& s, std::uint32_t index) {
  const auto name = [&](const char* part) { return "blk." + std::to_string(index) + "." + part + ".weight"; };
  auto attention_norm = bind.vector(name("attn_norm"), s.width);
  auto q = bind.matrix(name("attn_q"), s.q_width(), s.width);
  auto k = bind.matrix(name("attn_k"), s.kv_width(), s.width);
  auto v = bind.matrix(name("attn_v"), s.kv_width(), s.width);
  auto o = bind.matrix(name("attn_output"), s.width, s.q_width());
  auto hidden_norm = bind.vector(name("ffn_norm"), s.width);
  auto gate = bind.matrix(name("ffn_gate"), s.hidden, s.width);
  auto up = bind.matrix(name("ffn_up"), s.hidden, s.width);
  auto down = bind.matrix(name("ffn_down"), s.width, s.hidden);
  if (!bind.ok()) return std::nullopt;
  return LlamaLayer{std::move(attention_norm), std::move(*q),    std::move(*k),  std::move(*v),   std::move(*o),
                    std::move(hidden_norm),    std::move(*gate), std::move(*up), std::move(*down)};
}

/// Digest of names, types, shapes and bytes of all tensors, in order of name.
core::Result<core::U128> digest_of(const GgufFile& file) {
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

}  // namespace

core::Result<LlamaWeights> load_llama(const GgufFile& file, kernels::ThreadPool& pool) {
  auto shape = read_shape(file);
  if (!shape) return tl::make_unexpected(shape.error());
  const auto* embedding_tensor = file.find_tensor("token_embd.weight");
  if (embedding_tensor == nullptr) return fail(Errc::bad_file, "tensor \"token_embd.weight\" is missing");
  if (embedding_tensor->dims[1] > (1U << 24)) return fail(Errc::bad_file, "tensor \"token_embd.weight\": more than 2^24 tokens");
  shape->vocabulary = static_cast<std::uint32_t>(embedding_tensor->dims[1]);

  Binder bind{file, pool};
  auto embedding = bind.matrix("token_embd.weight", shape->vocabulary, shape->width);
  std::optional<PackedMatrix> output;
  if (bind.has("output.weight")) output = bind.matrix("output.weight", shape->vocabulary, shape->width);
  auto output_norm = bind.vector("output_norm.weight", shape->width);
  std::vector<float> rope_factors;
  if (bind.has("rope_freqs.weight")) rope_factors = bind.vector("rope_freqs.weight", shape->head_dim / 2);
  std::vector<LlamaLayer> layers;
  for (std::uint32_t i = 0; i < shape->layers && bind.ok(); ++i)
    if (auto layer = bind_layer(bind, *shape, i)) layers.push_back(std::move(*layer));
  bind.refuse_others();
  if (!bind.ok()) return tl::make_unexpected(bind.error());
  for (const float factor : rope_factors)
    if (!(factor > 0)) return fail(Errc::bad_file, "tensor \"rope_freqs.weight\": a factor that is not above 0");
  const auto digest = digest_of(file);
  if (!digest) return tl::make_unexpected(digest.error());
  return LlamaWeights{*shape, std::move(*embedding), std::move(output), std::move(output_norm), std::move(rope_factors), std::move(layers),
                      *digest};
}

std::size_t LlamaWeights::bytes() const {
  std::size_t sum = embedding.bytes() + (output ? output->bytes() : 0);
  for (const auto& l : layers)
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) sum += m->bytes();
  return sum;
}

core::KvId kv_id(const LlamaWeights& weights, core::PageFormat format, std::uint32_t numerics_id) {
  const auto& s = weights.shape;
  core::Digest128 digest;
  digest.add_text("spillway kv 1").add_text("llama").add_u64(weights.digest.hi).add_u64(weights.digest.lo);
  for (const std::uint64_t part : {s.layers, s.width, s.heads, s.kv_heads, s.head_dim, s.hidden, s.context}) digest.add_u64(part);
  digest.add_u64(std::bit_cast<std::uint32_t>(s.norm_epsilon)).add_u64(std::bit_cast<std::uint32_t>(s.rope_base));
  digest.add_u64(static_cast<std::uint64_t>(format)).add_u64(core::block_tokens).add_u64(numerics_id);
  return {digest.finish()};
}

}  // namespace spillway::model
