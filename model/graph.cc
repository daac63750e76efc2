#include "model/graph.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "kernels/rms_norm.h"
#include "kernels/row_slices.h"
#include "kernels/softcap.h"
#include "model/gemma3.h"
#include "model/llama.h"

namespace spillway::model {

using kernels::Product;

namespace {

bool any_quantized(const Weights& weights) {
  const auto takes = [](const kernels::PackedMatrix& m) { return kernels::takes_quantized(m.type()); };
  if (takes(weights.head())) return true;
  for (const auto& l : weights.layers)
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down})
      if (takes(*m)) return true;
  return false;
}

std::size_t widest_row(const GraphShape& s) {
  return std::max({s.width, s.q_width(), s.hidden});
}

/// row += bias, where there is one.
void add(const std::vector<float>& bias, float* row) {
  for (std::size_t i = 0; i < bias.size(); ++i) row[i] += bias[i];
}

}  // namespace

Graph::Graph(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool,
             std::vector<kernels::Rope> ropes)
    : weights_{weights},
      pool_{pool},
      attention_{page_shape(weights.shape, format), weights.shape.heads, rows_max, pool.threads()},
      page_shape_{page_shape(weights.shape, format)},
      rows_max_{rows_max} {
  const auto& s = weights.shape;
  const std::size_t rows = rows_max;
  if (any_quantized(weights)) quantized_ = std::make_unique<kernels::QuantizedRows>(rows, (widest_row(s) + 31) / 32 * 32);
  spans_.reserve(rows);
  span_of_row_.resize(rows);
  for (auto& rope : ropes)
    angles_.push_back({std::move(rope), std::vector<float>(rows * s.head_dim), std::vector<float>(rows * s.head_dim)});
  for (auto* buffer : {&x_, &h_, &last_}) buffer->resize(rows * s.width);
  for (auto* buffer : {&q_, &a_}) buffer->resize(rows * s.q_width());
  for (auto* buffer : {&k_, &v_}) buffer->resize(rows * s.kv_width());
  for (auto* buffer : {&gate_, &up_}) buffer->resize(rows * s.hidden);
  logits_.resize(std::size_t{logits_rows_max} * s.vocabulary);
}

kernels::PageShape Graph::page_shape(const GraphShape& shape, core::PageFormat format) {
  return {shape.layers, shape.kv_heads, shape.head_dim, format};
}

std::uint64_t Graph::workspace_bytes(const GraphShape& s, std::uint32_t rows_max, unsigned threads) {
  const std::uint64_t angles = s.window != 0 ? 2 : 1;
  const std::uint64_t row_floats = 2ULL * s.head_dim * angles + 3ULL * s.width + 2ULL * s.q_width() + 2ULL * s.kv_width() +
                                   2ULL * s.hidden + widest_row(s) / 2;  // the last: int8 form
  return (rows_max * row_floats + std::uint64_t{logits_rows_max} * s.vocabulary) * sizeof(float) +
         kernels::Attention::scratch_bytes(page_shape(s, core::PageFormat::raw32), s.heads, rows_max, threads);
}

void Graph::begin(std::span<const GraphSpan> spans) {
  const std::size_t width = weights_.shape.width;
  spans_.clear();
  rows_ = 0;
  for (const auto& span : spans) {
    const auto n = static_cast<std::uint32_t>(span.tokens.size());
    SPILLWAY_ASSERT(n <= rows_max_ - rows_);
    for (std::uint32_t r = 0; r < n; ++r) {
      const std::size_t row = rows_ + r;
      span_of_row_[row] = static_cast<std::uint32_t>(spans_.size());
      const std::size_t at = row * weights_.shape.head_dim;
      for (auto& angles : angles_) angles.rope.angles(span.first_position + r, &angles.cosines[at], &angles.sines[at]);
      weights_.embedding.dequantize_row(static_cast<std::size_t>(span.tokens[r]), &x_[row * width]);
    }
    spans_.push_back({span.blocks, span.first_position, n, rows_});
    rows_ += n;
  }
}

void Graph::multiply(std::span<const Product> products, const float* x, std::size_t rows, std::size_t k) {
  kernels::Activations activations{x, k, rows, k, nullptr};
  for (const auto& product : products) {
    if (activations.quantized != nullptr || !kernels::takes_quantized(product.weights->type())) continue;
    quantized_->assign(x, rows, k, k, pool_);
    activations.quantized = quantized_.get();
  }
  kernels::matmul(products, activations, pool_);
}

void Graph::norm(const float* x, const std::vector<float>& weight, float* y) {
  kernels::rms_norm(x, weight.data(), y, rows_, weights_.shape.width, weights_.shape.norm_epsilon, pool_);
}

void Graph::scale_rows(float scale, float* x) {
  const std::size_t width = weights_.shape.width;
  kernels::for_rows(rows_, width, pool_, [&](std::size_t row) {
    for (std::size_t i = 0; i < width; ++i) x[row * width + i] *= scale;
  });
}

void Graph::add_to_rows(const std::vector<float>& bias, float* x) {
  const std::size_t width = weights_.shape.width;
  kernels::for_rows(rows_, width, pool_, [&](std::size_t row) { add(bias, &x[row * width]); });
}

void Graph::add_rows(const float* y, float* x) {
  const std::size_t width = weights_.shape.width;
  kernels::for_rows(rows_, width, pool_, [&](std::size_t row) {
    for (std::size_t i = 0; i < width; ++i) x[row * width + i] += y[row * width + i];
  });
}

void Graph::place_heads(std::size_t layer, const Angles& angles, std::byte* kv) {
  const auto& s = weights_.shape;
  const auto& weights = weights_.layers[layer];
  const std::size_t q_width = s.q_width(), kv_width = s.kv_width();
  if (!weights.q_norm.empty()) {
    // heads as rows: q [rows * heads, head_dim], k [rows * kv_heads, head_dim]
    kernels::rms_norm(q_.data(), weights.q_norm.data(), q_.data(), std::size_t{rows_} * s.heads, s.head_dim, s.norm_epsilon, pool_);
    kernels::rms_norm(k_.data(), weights.k_norm.data(), k_.data(), std::size_t{rows_} * s.kv_heads, s.head_dim, s.norm_epsilon, pool_);
  }
  kernels::for_rows(rows_, q_width + 2 * kv_width, pool_, [&](std::size_t row) {
    const auto& span = spans_[span_of_row_[row]];
    const auto position = static_cast<std::uint32_t>(span.first_position + row - span.row);
    float* q = &q_[row * q_width];
    float* k = &k_[row * kv_width];
    float* v = &v_[row * kv_width];
    add(weights.q_bias, q);
    add(weights.k_bias, k);
    add(weights.v_bias, v);
    const float* cosines = &angles.cosines[row * s.head_dim];
    const float* sines = &angles.sines[row * s.head_dim];
    kernels::rope(angles.rope.order(), q, s.heads, s.head_dim, cosines, sines);
    kernels::rope(angles.rope.order(), k, s.kv_heads, s.head_dim, cosines, sines);
    attention_.write(kv, layer, span.blocks, position, k, v);
  });
}

void Graph::keep(std::span<const std::uint32_t> wanted) {
  const std::size_t width = weights_.shape.width;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SPILLWAY_ASSERT(wanted[i] < rows_);
    std::memcpy(&last_[i * width], &x_[wanted[i] * width], width * sizeof(float));
  }
  kernels::rms_norm(last_.data(), weights_.output_norm.data(), last_.data(), wanted.size(), width, weights_.shape.norm_epsilon, pool_);
}

const float* Graph::logits(std::uint32_t first, std::uint32_t n) {
  SPILLWAY_ASSERT(n <= logits_rows_max && first + n <= rows_max_);
  const auto& s = weights_.shape;
  const Product head[] = {{&weights_.head(), logits_.data(), s.vocabulary}};
  multiply(head, &last_[std::size_t{first} * s.width], n, s.width);
  if (s.logit_softcap != 0) kernels::softcap(logits_.data(), n, s.vocabulary, s.logit_softcap, pool_);
  return logits_.data();
}

std::unique_ptr<Graph> make_graph(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool) {
  switch (weights.shape.architecture) {
    case Architecture::llama:
    case Architecture::qwen2:
    case Architecture::qwen3: return std::make_unique<Llama>(weights, format, rows_max, pool);
    case Architecture::gemma3: return std::make_unique<Gemma3>(weights, format, rows_max, pool);
  }
  SPILLWAY_ASSERT(!"an architecture without a graph");
  return nullptr;
}

}  // namespace spillway::model
