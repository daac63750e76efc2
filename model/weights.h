#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "core/page.h"
#include "core/result.h"
#include "kernels/pack.h"
#include "kernels/thread_pool.h"
#include "model/gguf.h"
#include "model/graph_shape.h"

namespace spillway::model {

/// Matrices are [outputs, inputs], applied to rows from the right: y = x W^T. Vectors that an architecture or a file does not have
/// are empty.
struct LayerWeights {
  std::vector<float> attention_norm;        // [width]
  kernels::PackedMatrix q;                  // [heads * head_dim, width]
  kernels::PackedMatrix k;                  // [kv_heads * head_dim, width]
  kernels::PackedMatrix v;                  // [kv_heads * head_dim, width]
  kernels::PackedMatrix o;                  // [width, heads * head_dim]
  std::vector<float> q_bias;                // [heads * head_dim]
  std::vector<float> k_bias, v_bias;        // [kv_heads * head_dim]
  std::vector<float> o_bias;                // [width]
  std::vector<float> q_norm, k_norm;        // [head_dim]
  std::vector<float> after_attention_norm;  // [width]
  std::vector<float> hidden_norm;           // [width]
  kernels::PackedMatrix gate;               // [hidden, width]
  kernels::PackedMatrix up;                 // [hidden, width]
  kernels::PackedMatrix down;               // [width, hidden]
  std::vector<float> after_hidden_norm;     // [width]
};

/// The weights of a model, packed for the products. Immutable.
struct Weights {
  GraphShape shape;
  kernels::PackedMatrix embedding;              // [vocabulary, width]
  std::optional<kernels::PackedMatrix> output;  // [vocabulary, width]; absent: tied to the embedding
  std::vector<float> output_norm;               // [width]
  std::vector<float> rope_factors;              // [head_dim / 2] or empty
  std::vector<LayerWeights> layers;
  core::U128 digest;  // of names, types, shapes and bytes of all tensors

  const kernels::PackedMatrix& head() const { return output ? *output : embedding; }
  std::size_t bytes() const;  ///< of all matrices, as packed
};

/// Binds the tensors of `file`. Errors name the tensor or key, what came and what was wanted: unsupported (see read_graph_shape; a
/// tensor or type this version does not compute with), bad_file (missing, wrong shape).
core::Result<Weights> load_weights(const GgufFile& file, kernels::ThreadPool& pool);

/// Digest of everything that decides the bytes of a page but the tokens.
core::KvId kv_id(const Weights& weights, core::PageFormat format, std::uint32_t numerics_id);

}  // namespace spillway::model
