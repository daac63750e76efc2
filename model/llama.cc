#include "model/llama.h"

#include <algorithm>
#include <cstring>

#include "core/assert.h"
#include "kernels/rms_norm.h"
#include "kernels/row_slices.h"
#include "kernels/silu_mul.h"

namespace spillway::model {

using kernels::Product;

namespace {

bool any_quantized(const LlamaWeights& weights) {
  const auto takes = [](const kernels::PackedMatrix& m) { return kernels::takes_quantized(m.type()); };
  if (takes(weights.head())) return true;
  for (const auto& l : weights.layers)
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down})
      if (takes(*m)) return true;
  return false;
}

}  // namespace

Llama::Llama(const LlamaWeights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool)
    : weights_{weights},
      page_shape_{weights.shape.layers, weights.shape.kv_heads, weights.shape.head_dim, format},
      rows_max_{rows_max},
      pool_{pool},
      rope_{weights.shape.head_dim, weights.shape.rope_base, weights.rope_factors},
      attention_{page_shape_, weights.shape.heads, rows_max, pool.threads()} {
  const auto& s = weights.shape;
  const std::size_t rows = rows_max;
  if (any_quantized(weights))
    quantized_ = std::make_unique<kernels::QuantizedRows>(rows, (std::max({s.width, s.q_width(), s.hidden}) + 31) / 32 * 32);
  spans_.reserve(rows);
  span_of_row_.resize(rows);
  for (auto* buffer : {&cos_, &sin_}) buffer->resize(rows * s.head_dim);
  for (auto* buffer : {&x_, &h_, &last_}) buffer->resize(rows * s.width);
  for (auto* buffer : {&q_, &a_}) buffer->resize(rows * s.q_width());
  for (auto* buffer : {&k_, &v_}) buffer->resize(rows * s.kv_width());
  for (auto* buffer : {&gate_, &up_}) buffer->resize(rows * s.hidden);
  logits_.resize(std::size_t{logits_rows_max} * s.vocabulary);
}

std::uint64_t Llama::workspace_bytes(const LlamaShape& s, std::uint32_t rows_max, unsigned threads) {
  const std::uint64_t widest = std::max({s.width, s.q_width(), s.hidden});
  const std::uint64_t row_floats =
      2ULL * s.head_dim + 3ULL * s.width + 2ULL * s.q_width() + 2ULL * s.kv_width() + 2ULL * s.hidden + widest / 2;  // the last: int8 form
  const kernels::PageShape page{s.layers, s.kv_heads, s.head_dim, core::PageFormat::raw32};
  return (rows_max * row_floats + std::uint64_t{logits_rows_max} * s.vocabulary) * sizeof(float) +
         kernels::Attention::scratch_bytes(page, s.heads, rows_max, threads);
}

/// Numbers the rows of the step and prepares what all layers share: spans and angles.
void Llama::place(std::span<const LlamaSpan> spans) {
  spans_.clear();
  rows_ = 0;
  for (const auto& span : spans) {
    const auto n = static_cast<std::uint32_t>(span.tokens.size());
    SPILLWAY_ASSERT(n <= rows_max_ - rows_);
    for (std::uint32_t r = 0; r < n; ++r) {
      span_of_row_[rows_ + r] = static_cast<std::uint32_t>(spans_.size());
      const std::size_t at = std::size_t{rows_ + r} * weights_.shape.head_dim;
      rope_.angles(span.first_position + r, &cos_[at], &sin_[at]);
    }
    spans_.push_back({span.blocks, span.first_position, n, rows_});
    rows_ += n;
  }
}

/// y = x W^T (or y += x W^T) for each product, x: [rows, k].
void Llama::multiply(std::span<const Product> products, const float* x, std::size_t rows, std::size_t k) {
  kernels::Activations activations{x, k, rows, k, nullptr};
  for (const auto& product : products) {
    if (activations.quantized != nullptr || !kernels::takes_quantized(product.weights->type())) continue;
    quantized_->assign(x, rows, k, k, pool_);
    activations.quantized = quantized_.get();
  }
  kernels::matmul(products, activations, pool_);
}

void Llama::forward(std::span<const LlamaSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) {
  const auto& s = weights_.shape;
  const std::size_t width = s.width, q_width = s.q_width(), kv_width = s.kv_width(), hidden = s.hidden;
  place(spans);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    for (std::size_t r = 0; r < spans[i].tokens.size(); ++r)
      weights_.embedding.dequantize_row(static_cast<std::size_t>(spans[i].tokens[r]), &x_[(spans_[i].row + r) * width]);
  }

  for (std::size_t l = 0; l < s.layers; ++l) {
    const auto& layer = weights_.layers[l];
    // h [rows, width] = norm(x); q [rows, heads * head_dim], k and v [rows, kv_heads * head_dim] = h W^T
    kernels::rms_norm(x_.data(), layer.attention_norm.data(), h_.data(), rows_, width, s.norm_epsilon, pool_);
    const Product qkv[] = {{&layer.q, q_.data(), q_width}, {&layer.k, k_.data(), kv_width}, {&layer.v, v_.data(), kv_width}};
    multiply(qkv, h_.data(), rows_, width);

    // turn q and k by their positions; write k and v to the pages, from where attention reads them
    kernels::for_rows(rows_, q_width + 2 * kv_width, pool_, [&](std::size_t row) {
      const auto& span = spans_[span_of_row_[row]];
      const auto position = static_cast<std::uint32_t>(span.first_position + row - span.row);
      const float* cosines = &cos_[row * s.head_dim];
      const float* sines = &sin_[row * s.head_dim];
      kernels::rope(&q_[row * q_width], s.heads, s.head_dim, cosines, sines);
      kernels::rope(&k_[row * kv_width], s.kv_heads, s.head_dim, cosines, sines);
      attention_.write(kv, l, span.blocks, position, &k_[row * kv_width], &v_[row * kv_width]);
    });

    // a [rows, heads * head_dim] = attention(q, pages); x += a W_o^T
    attention_.run(kv, l, spans_, q_.data(), a_.data(), pool_);
    const Product o[] = {{&layer.o, x_.data(), width, true}};
    multiply(o, a_.data(), rows_, q_width);

    // h = norm(x); gate, up [rows, hidden] = h W^T; x += (silu(gate) * up) W_down^T
    kernels::rms_norm(x_.data(), layer.hidden_norm.data(), h_.data(), rows_, width, s.norm_epsilon, pool_);
    const Product gate_up[] = {{&layer.gate, gate_.data(), hidden}, {&layer.up, up_.data(), hidden}};
    multiply(gate_up, h_.data(), rows_, width);
    kernels::silu_mul(gate_.data(), up_.data(), gate_.data(), rows_, hidden, pool_);
    const Product down[] = {{&layer.down, x_.data(), width, true}};
    multiply(down, gate_.data(), rows_, hidden);
  }

  // last [wanted, width] = norm of the rows that are asked for
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SPILLWAY_ASSERT(wanted[i] < rows_);
    std::memcpy(&last_[i * width], &x_[wanted[i] * width], width * sizeof(float));
  }
  kernels::rms_norm(last_.data(), weights_.output_norm.data(), last_.data(), wanted.size(), width, s.norm_epsilon, pool_);
}

const float* Llama::logits(std::uint32_t first, std::uint32_t n) {
  SPILLWAY_ASSERT(n <= logits_rows_max && first + n <= rows_max_);
  const Product head[] = {{&weights_.head(), logits_.data(), weights_.shape.vocabulary}};
  multiply(head, &last_[std::size_t{first} * weights_.shape.width], n, weights_.shape.width);
  return logits_.data();
}

}  // namespace spillway::model
