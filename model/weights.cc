#include "model/weights.h"

#include <bit>
#include <string>
#include <utility>

#include "core/digest.h"
#include "core/step.h"
#include "model/weights_binder.h"

namespace spillway::model {

using core::Errc;
using core::fail;
using kernels::PackedMatrix;

namespace {

/// Biases of q, k and v: always those of qwen2, those that there are of llama.
struct Biases {
  std::vector<float> q, k, v, o;
};
Biases bind_biases(Binder& bind, const GraphShape& s, const std::string& block) {
  Biases biases;
  if (s.architecture == Architecture::qwen2) {
    biases.q = bind.vector(block + "attn_q.bias", s.q_width());
    biases.k = bind.vector(block + "attn_k.bias", s.kv_width());
    biases.v = bind.vector(block + "attn_v.bias", s.kv_width());
  } else if (s.architecture == Architecture::llama) {
    biases.q = bind.vector_if_there(block + "attn_q.bias", s.q_width());
    biases.k = bind.vector_if_there(block + "attn_k.bias", s.kv_width());
    biases.v = bind.vector_if_there(block + "attn_v.bias", s.kv_width());
    biases.o = bind.vector_if_there(block + "attn_output.bias", s.width);
  }
  return biases;
}

std::optional<LayerWeights> bind_layer(Binder& bind, const GraphShape& s, std::uint32_t index) {
  const std::string block = "blk." + std::to_string(index) + ".";
  const auto vector_where = [&](bool wanted, const char* part, std::uint64_t n) {
    return wanted ? bind.vector(block + part, n) : std::vector<float>{};
  };
  const bool head_norms = s.architecture == Architecture::qwen3 || s.architecture == Architecture::gemma3;
  const bool norms_after = s.architecture == Architecture::gemma3;
  auto attention_norm = bind.vector(block + "attn_norm.weight", s.width);
  auto q = bind.matrix(block + "attn_q.weight", s.q_width(), s.width);
  auto k = bind.matrix(block + "attn_k.weight", s.kv_width(), s.width);
  auto v = bind.matrix(block + "attn_v.weight", s.kv_width(), s.width);
  auto o = bind.matrix(block + "attn_output.weight", s.width, s.q_width());
  auto biases = bind_biases(bind, s, block);
  auto q_norm = vector_where(head_norms, "attn_q_norm.weight", s.head_dim);
  auto k_norm = vector_where(head_norms, "attn_k_norm.weight", s.head_dim);
  auto after_attention_norm = vector_where(norms_after, "post_attention_norm.weight", s.width);
  auto hidden_norm = bind.vector(block + "ffn_norm.weight", s.width);
  auto gate = bind.matrix(block + "ffn_gate.weight", s.hidden, s.width);
  auto up = bind.matrix(block + "ffn_up.weight", s.hidden, s.width);
  auto down = bind.matrix(block + "ffn_down.weight", s.width, s.hidden);
  auto after_hidden_norm = vector_where(norms_after, "post_ffw_norm.weight", s.width);
  if (!bind.ok()) return std::nullopt;
  return LayerWeights{.attention_norm = std::move(attention_norm),
                      .q = std::move(*q),
                      .k = std::move(*k),
                      .v = std::move(*v),
                      .o = std::move(*o),
                      .q_bias = std::move(biases.q),
                      .k_bias = std::move(biases.k),
                      .v_bias = std::move(biases.v),
                      .o_bias = std::move(biases.o),
                      .q_norm = std::move(q_norm),
                      .k_norm = std::move(k_norm),
                      .after_attention_norm = std::move(after_attention_norm),
                      .hidden_norm = std::move(hidden_norm),
                      .gate = std::move(*gate),
                      .up = std::move(*up),
                      .down = std::move(*down),
                      .after_hidden_norm = std::move(after_hidden_norm)};
}

}  // namespace

core::Result<Weights> load_weights(const GgufFile& file, kernels::ThreadPool& pool) {
  auto shape = read_graph_shape(file);
  if (!shape) return tl::make_unexpected(shape.error());
  const auto* embedding_tensor = file.find_tensor("token_embd.weight");
  if (embedding_tensor == nullptr) return fail(Errc::bad_file, "tensor \"token_embd.weight\" is missing");
  if (embedding_tensor->dims[1] > (1U << 24)) return fail(Errc::bad_file, "tensor \"token_embd.weight\": more than 2^24 tokens");
  shape->vocabulary = static_cast<std::uint32_t>(embedding_tensor->dims[1]);

  Binder bind{file, to_string(shape->architecture), pool};
  auto embedding = bind.matrix("token_embd.weight", shape->vocabulary, shape->width);
  std::optional<PackedMatrix> output;
  if (bind.has("output.weight")) output = bind.matrix("output.weight", shape->vocabulary, shape->width);
  auto output_norm = bind.vector("output_norm.weight", shape->width);
  std::vector<float> rope_factors;
  if (shape->architecture == Architecture::llama) rope_factors = bind.vector_if_there("rope_freqs.weight", shape->head_dim / 2);
  std::vector<LayerWeights> layers;
  for (std::uint32_t i = 0; i < shape->layers && bind.ok(); ++i)
    if (auto layer = bind_layer(bind, *shape, i)) layers.push_back(std::move(*layer));
  bind.refuse_others();
  if (!bind.ok()) return tl::make_unexpected(bind.error());
  for (const float factor : rope_factors)
    if (!(factor > 0)) return fail(Errc::bad_file, "tensor \"rope_freqs.weight\": a factor that is not above 0");
  const auto digest = tensor_digest(file);
  if (!digest) return tl::make_unexpected(digest.error());
  return Weights{*shape, std::move(*embedding), std::move(output), std::move(output_norm), std::move(rope_factors), std::move(layers),
                 *digest};
}

std::size_t Weights::bytes() const {
  std::size_t sum = embedding.bytes() + (output ? output->bytes() : 0);
  for (const auto& l : layers)
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) sum += m->bytes();
  return sum;
}

core::KvId kv_id(const Weights& weights, core::PageFormat format, std::uint32_t numerics_id) {
  const auto& s = weights.shape;
  const auto bits = [](float value) { return std::uint64_t{std::bit_cast<std::uint32_t>(value)}; };
  core::Digest128 digest;
  digest.add_text("spillway kv 1").add_text(to_string(s.architecture)).add_u64(weights.digest.hi).add_u64(weights.digest.lo);
  for (const std::uint64_t part : {s.layers, s.width, s.heads, s.kv_heads, s.head_dim, s.hidden, s.context}) digest.add_u64(part);
  digest.add_u64(bits(s.norm_epsilon)).add_u64(bits(s.rope.base));
  digest.add_u64(static_cast<std::uint64_t>(format)).add_u64(core::block_tokens).add_u64(numerics_id);
  if (s.rope.scaling != kernels::RopeScaling::none) {
    digest.add_text("rope scaling").add_u64(static_cast<std::uint64_t>(s.rope.scaling)).add_u64(s.rope.original_context);
    for (const float part : {s.rope.factor, s.rope.attention_factor, s.rope.beta_fast, s.rope.beta_slow}) digest.add_u64(bits(part));
  }
  if (s.window != 0) digest.add_text("windows").add_u64(s.window).add_u64(s.window_pattern).add_u64(bits(s.window_rope_base));
  return {digest.finish()};
}

}  // namespace spillway::model
