#include "model/graph_shape.h"

#include <array>
#include <cmath>
#include <optional>

namespace spillway::model {

using core::Errc;
using core::fail;

namespace {

struct Name {
  Architecture architecture;
  std::string_view name;
};
constexpr std::array<Name, 4> names = {
    {{Architecture::llama, "llama"}, {Architecture::qwen2, "qwen2"}, {Architecture::qwen3, "qwen3"}, {Architecture::gemma3, "gemma3"}}};

core::Result<Architecture> read_architecture(const GgufFile& file) {
  const auto got = file.get_string("general.architecture");
  for (const auto& [architecture, name] : names)
    if (got && *got == name) return architecture;
  return fail(Errc::unsupported, "general.architecture = " + (got ? in_quotes(*got) : std::string{"(none)"}) + "; this version computes " +
                                     architecture_names());
}

/// Reads keys of one architecture into variables and keeps the first error, so that reading goes on as a list.
class Keys {
 public:
  Keys(const GgufFile& file, std::string_view architecture) : file_{file}, prefix_{std::string{architecture} + "."} {}

  std::string name(const char* key) const { return prefix_ + key; }
  bool has(const char* key) const { return file_.has(name(key)); }
  const std::optional<core::Error>& error() const { return error_; }
  void set(Errc code, std::string message) {
    if (!error_) error_ = core::Error{code, std::move(message), {}};
  }

  /// An unsigned key within [low, high].
  void number(std::uint32_t& to, const char* key, std::uint64_t low, std::uint64_t high, std::optional<std::uint64_t> fallback = {}) {
    const auto value = file_.get_u64(name(key), fallback);
    if (!value) return set(value.error().code, value.error().message);
    if (*value < low || *value > high)
      return set(Errc::bad_file,
                 name(key) + " = " + std::to_string(*value) + "; want " + std::to_string(low) + " to " + std::to_string(high));
    to = static_cast<std::uint32_t>(*value);
  }

  /// A float key within [low, high); `bounds` says so in the error.
  void real(float& to, const char* key, float low, float high, const char* bounds, std::optional<float> fallback = {}) {
    const auto value = file_.get_f32(name(key), fallback);
    if (!value) return set(value.error().code, value.error().message);
    if (!(*value >= low) || !(*value < high))
      return set(Errc::bad_file, name(key) + " = " + std::to_string(*value) + " is not within " + bounds);
    to = *value;
  }

  std::string text(const char* key, std::string_view fallback) {
    const auto value = file_.get_string(name(key), fallback);
    if (!value) set(value.error().code, value.error().message);
    return value ? std::string{*value} : std::string{};
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
  std::optional<core::Error> error_;
};

void read_rope(Keys& keys, GraphShape& shape) {
  auto& rope = shape.rope;
  rope.dims = shape.head_dim;
  keys.real(rope.base, "rope.freq_base", 1.0F, 1e12F, "[1, 1e12)", 10000.0F);
  // Older files have but the one number of linear scaling.
  const bool older = !keys.has("rope.scaling.type") && !keys.has("rope.scaling.factor") && keys.has("rope.scale_linear");
  const char* factor = older ? "rope.scale_linear" : "rope.scaling.factor";
  const std::string type = keys.text("rope.scaling.type", keys.has(factor) ? "linear" : "none");
  if (type == "none") return;
  if (type != "linear" && type != "yarn")
    return keys.set(Errc::unsupported,
                    keys.name("rope.scaling.type") + " = " + in_quotes(type) + "; this version computes \"none\", \"linear\" and \"yarn\"");
  keys.real(rope.factor, factor, 0x1p-20F, 1e6F, "[2^-20, 1e6)");
  rope.scaling = type == "linear" ? kernels::RopeScaling::linear : kernels::RopeScaling::yarn;
  if (rope.scaling == kernels::RopeScaling::linear) {
    if (rope.factor == 1.0F) rope.scaling = kernels::RopeScaling::none;
    return;
  }
  if (!(rope.base > 1.0F)) keys.set(Errc::bad_file, keys.name("rope.freq_base") + " is 1; yarn wants more");
  keys.number(rope.original_context, "rope.scaling.original_context_length", 1, 1U << 30);
  keys.real(rope.attention_factor, "rope.scaling.attn_factor", 0x1p-20F, 1e6F, "[2^-20, 1e6)", 1.0F);
  keys.real(rope.beta_fast, "rope.scaling.yarn_beta_fast", 0x1p-20F, 1e6F, "[2^-20, 1e6)", 32.0F);
  keys.real(rope.beta_slow, "rope.scaling.yarn_beta_slow", 0x1p-20F, 1e6F, "[2^-20, 1e6)", 1.0F);
}

void read_gemma3(Keys& keys, GraphShape& shape) {
  keys.number(shape.window, "attention.sliding_window", 0, 1U << 30, 0);
  keys.number(shape.window_pattern, "attention.sliding_window_pattern", 1, 4096, 6);
  keys.real(shape.window_rope_base, "rope.freq_base_swa", 1.0F, 1e12F, "[1, 1e12)", 10000.0F);
  // The 27B model, which is known by its depth alone, was trained with another scale.
  if (const std::uint32_t head_width = shape.width / shape.heads; shape.layers == 62)
    shape.attention_scale = 1.0F / std::sqrt(static_cast<float>(head_width));
  keys.real(shape.logit_softcap, "final_logit_softcapping", 0.0F, 1e6F, "[0, 1e6)", 0.0F);
}

}  // namespace

std::string_view to_string(Architecture architecture) {
  for (const auto& [known, name] : names)
    if (known == architecture) return name;
  return "?";
}

std::string architecture_names() {
  std::string text;
  for (const auto& known : names) text.append(text.empty() ? "\"" : ", \"").append(known.name).append("\"");
  return text;
}

core::Result<GraphShape> read_graph_shape(const GgufFile& file) {
  const auto architecture = read_architecture(file);
  if (!architecture) return tl::make_unexpected(architecture.error());
  GraphShape shape;
  shape.architecture = *architecture;
  if (*architecture != Architecture::llama) shape.rope_order = kernels::RopeOrder::halves;
  const std::string name{to_string(*architecture)};
  Keys keys{file, name};
  if (const auto experts = file.get_u64(keys.name("expert_count"), 0); !experts || *experts != 0)
    return fail(Errc::unsupported, keys.name("expert_count") + " is not 0: mixtures of experts are not computed by this version");

  std::uint32_t rope_dims = 0;
  std::uint32_t value_dim = 0;
  constexpr std::uint64_t wide = 1U << 20;
  keys.number(shape.layers, "block_count", 1, 4096);
  keys.number(shape.width, "embedding_length", 1, wide);
  keys.number(shape.heads, "attention.head_count", 1, 4096);
  if (keys.error()) return tl::make_unexpected(*keys.error());
  keys.number(shape.kv_heads, "attention.head_count_kv", 1, shape.heads, shape.heads);
  keys.number(shape.head_dim, "attention.key_length", 2, 4096, shape.width / shape.heads);
  keys.number(value_dim, "attention.value_length", 2, 4096, shape.head_dim);
  keys.number(rope_dims, "rope.dimension_count", 2, 4096, shape.head_dim);
  keys.number(shape.hidden, "feed_forward_length", 1, wide);
  keys.number(shape.context, "context_length", 1, wide);
  keys.real(shape.norm_epsilon, "attention.layer_norm_rms_epsilon", 0.0F, 1.0F, "[0, 1)");
  read_rope(keys, shape);
  if (shape.architecture == Architecture::gemma3) read_gemma3(keys, shape);
  if (keys.error()) return tl::make_unexpected(*keys.error());
  if (shape.heads % shape.kv_heads != 0)
    return fail(Errc::bad_file, keys.name("attention.head_count") + " = " + std::to_string(shape.heads) +
                                    " is no multiple of head_count_kv = " + std::to_string(shape.kv_heads));
  if (shape.head_dim % 2 != 0 || rope_dims != shape.head_dim || value_dim != shape.head_dim)
    return fail(Errc::unsupported, name + ": head dimension " + std::to_string(shape.head_dim) + ", of values " +
                                       std::to_string(value_dim) + ", of positions " + std::to_string(rope_dims) +
                                       "; want one even number");
  return shape;
}

}  // namespace spillway::model
