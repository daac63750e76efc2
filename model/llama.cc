#include "model/llama.h"

#include "kernels/silu_mul.h"

namespace spillway::model {

using kernels::Product;

Llama::Llama(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool)
    : Graph{weights, format, rows_max, pool, {kernels::Rope{weights.shape.rope, weights.shape.rope_order, weights.rope_factors}}} {}

void Llama::forward(std::span<const GraphSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) {
  const auto& s = weights_.shape;
  const std::size_t width = s.width, q_width = s.q_width(), kv_width = s.kv_width(), hidden = s.hidden;
  begin(spans);  // x [rows, width] = embeddings

  for (std::size_t l = 0; l < s.layers; ++l) {
    const auto& layer = weights_.layers[l];
    // h [rows, width] = norm(x); q [rows, heads * head_dim], k and v [rows, kv_heads * head_dim] = h W^T
    norm(x_.data(), layer.attention_norm, h_.data());
    const Product qkv[] = {{&layer.q, q_.data(), q_width}, {&layer.k, k_.data(), kv_width}, {&layer.v, v_.data(), kv_width}};
    multiply(qkv, h_.data(), rows_, width);
    // biases where there are some; heads of q and k normed (qwen3) and turned by their positions; k and v to the pages
    place_heads(l, angles_[0], kv);

    // a [rows, heads * head_dim] = attention(q, pages); x += a W_o^T
    attention_.run(kv, l, spans_, q_.data(), a_.data(), pool_);
    const Product o[] = {{&layer.o, x_.data(), width, true}};
    multiply(o, a_.data(), rows_, q_width);
    if (!layer.o_bias.empty()) add_to_rows(layer.o_bias, x_.data());

    // h = norm(x); gate, up [rows, hidden] = h W^T; x += (silu(gate) * up) W_down^T
    norm(x_.data(), layer.hidden_norm, h_.data());
    const Product gate_up[] = {{&layer.gate, gate_.data(), hidden}, {&layer.up, up_.data(), hidden}};
    multiply(gate_up, h_.data(), rows_, width);
    kernels::silu_mul(gate_.data(), up_.data(), gate_.data(), rows_, hidden, pool_);
    const Product down[] = {{&layer.down, x_.data(), width, true}};
    multiply(down, gate_.data(), rows_, hidden);
  }

  keep(wanted);  // last [wanted, width] = norm of the rows that are asked for
}

}  // namespace spillway::model
