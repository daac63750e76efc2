#include "model/gemma3.h"

#include <cmath>

#include "kernels/gelu_mul.h"

namespace spillway::model {

using kernels::Product;

namespace {

/// Positions of layers that see everything, then of windowed ones where there are some.
std::vector<kernels::Rope> ropes(const GraphShape& shape) {
  std::vector<kernels::Rope> ropes{{shape.rope, shape.rope_order, {}}};
  if (shape.window != 0) ropes.push_back({{.dims = shape.head_dim, .base = shape.window_rope_base}, shape.rope_order, {}});
  return ropes;
}

}  // namespace

Gemma3::Gemma3(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool)
    : Graph{weights, format, rows_max, pool, ropes(weights.shape)} {}

void Gemma3::forward(std::span<const GraphSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) {
  const auto& s = weights_.shape;
  const std::size_t width = s.width, q_width = s.q_width(), kv_width = s.kv_width(), hidden = s.hidden;
  begin(spans);  // x [rows, width] = embeddings * sqrt(width)
  scale_rows(std::sqrt(static_cast<float>(width)), x_.data());

  for (std::uint32_t l = 0; l < s.layers; ++l) {
    const auto& layer = weights_.layers[l];
    const bool windowed = s.is_windowed(l);
    // h [rows, width] = norm(x); q [rows, heads * head_dim], k and v [rows, kv_heads * head_dim] = h W^T
    norm(x_.data(), layer.attention_norm, h_.data());
    const Product qkv[] = {{&layer.q, q_.data(), q_width}, {&layer.k, k_.data(), kv_width}, {&layer.v, v_.data(), kv_width}};
    multiply(qkv, h_.data(), rows_, width);
    // heads of q and k normed, then turned by their positions; k and v to the pages
    place_heads(l, angles_[windowed ? 1 : 0], kv);

    // a [rows, heads * head_dim] = attention(q, pages); x += norm(a W_o^T)
    attention_.run(kv, l, spans_, q_.data(), a_.data(), pool_, {windowed ? s.window : 0, s.attention_scale});
    const Product o[] = {{&layer.o, h_.data(), width}};
    multiply(o, a_.data(), rows_, q_width);
    norm(h_.data(), layer.after_attention_norm, h_.data());
    add_rows(h_.data(), x_.data());

    // h = norm(x); gate, up [rows, hidden] = h W^T; x += norm((gelu(gate) * up) W_down^T)
    norm(x_.data(), layer.hidden_norm, h_.data());
    const Product gate_up[] = {{&layer.gate, gate_.data(), hidden}, {&layer.up, up_.data(), hidden}};
    multiply(gate_up, h_.data(), rows_, width);
    kernels::gelu_mul(gate_.data(), up_.data(), gate_.data(), rows_, hidden, pool_);
    const Product down[] = {{&layer.down, h_.data(), width}};
    multiply(down, gate_.data(), rows_, hidden);
    norm(h_.data(), layer.after_hidden_norm, h_.data());
    add_rows(h_.data(), x_.data());
  }

  keep(wanted);  // last [wanted, width] = norm of the rows that are asked for
}

}  // namespace spillway::model
