#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/page.h"
#include "core/result.h"
#include "kernels/pack.h"
#include "kernels/thread_pool.h"
#include "model/gguf.h"

namespace spillway::model {

/// What the metadata of a `llama` file says of the graph.
struct LlamaShape {
  std::uint32_t layers = 0;
  std::uint32_t width = 0;  ///< embedding_length
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;  ///< divides heads
  std::uint32_t head_dim = 0;  ///< even
  std::uint32_t hidden = 0;    ///< feed_forward_length
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;  ///< tokens the model was made for
  float norm_epsilon = 0;
  float rope_base = 10000.0F;

  std::uint32_t q_width() const { return heads * head_dim; }
  std::uint32_t kv_width() const { return kv_heads * head_dim; }
};

/// Matrices are [outputs, inputs], applied to rows from the right: y = x W^T.
struct LlamaLayer {
  std::vector<float> attention_norm;  // [width]
  kernels::PackedMatrix q;            // [heads * head_dim, width]
  kernels::PackedMatrix k;            // [kv_heads * head_dim, width]
  kernels::PackedMatrix v;            // [kv_heads * head_dim, width]
  kernels::PackedMatrix o;            // [width, heads * head_dim]
  std::vector<float> hidden_norm;     // [width]
  kernels::PackedMatrix gate;         // [hidden, width]
  kernels::PackedMatrix up;           // [hidden, width]
  kernels::PackedMatrix down;         // [width, hidden]
};

/// The weights of a model of the `llama` architecture, packed for the products. Immutable.
struct LlamaWeights {
  LlamaShape shape;
  kernels::PackedMatrix embedding;              // [vocabulary, width]
  std::optional<kernels::PackedMatrix> output;  // [vocabulary, width]; absent: tied to the embedding
  std::vector<float> output_norm;               // [width]
  std::vector<float> rope_factors;              // [head_dim / 2] or empty
  std::vector<LlamaLayer> layers;
  core::U128 digest;  // of names, types, shapes and bytes of all tensors

  const kernels::PackedMatrix& head() const { return output ? *output : embedding; }
  std::size_t bytes() const;  ///< of all matrices, as packed
};

/// Binds the tensors of `file`. Errors name the tensor or key, what came and what was wanted: unsupported (another architecture,
/// mixture of experts, scaled positions, a tensor or type this version does not compute with), bad_file (missing, wrong shape).
core::Result<LlamaWeights> load_llama(const GgufFile& file, kernels::ThreadPool& pool);

/// Digest of everything that decides the bytes of a page but the tokens.
core::KvId kv_id(const LlamaWeights& weights, core::PageFormat format, std::uint32_t numerics_id);

}  // namespace spillway::model
