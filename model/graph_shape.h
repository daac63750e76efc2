#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "kernels/rope.h"
#include "model/gguf.h"

namespace spillway::model {

/// The architectures that are computed, by general.architecture.
enum class Architecture : std::uint8_t { llama, qwen2, qwen3, gemma3 };
std::string_view to_string(Architecture architecture);
/// The names, parted by ", ".
std::string architecture_names();

/// What an architecture and the metadata of a file say of the graph.
struct GraphShape {
  Architecture architecture = Architecture::llama;
  std::uint32_t layers = 0;
  std::uint32_t width = 0;  ///< embedding_length
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;  ///< divides heads
  std::uint32_t head_dim = 0;  ///< even
  std::uint32_t hidden = 0;    ///< feed_forward_length
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;  ///< tokens the model was made for
  float norm_epsilon = 0;
  kernels::RopeOrder rope_order = kernels::RopeOrder::adjacent;
  kernels::RopeRule rope;  ///< of layers that see everything; dims = head_dim

  // gemma3
  float attention_scale = 0;          ///< of the scores; 0 = 1 / sqrt(head_dim)
  std::uint32_t window = 0;           ///< tokens that a windowed layer sees; 0 = no layer is windowed
  std::uint32_t window_pattern = 0;   ///< the last of each so many layers sees everything
  float window_rope_base = 10000.0F;  ///< of windowed layers, whose positions are never scaled
  float logit_softcap = 0;            ///< logits = cap tanh(logits / cap); 0 = none

  std::uint32_t q_width() const { return heads * head_dim; }
  std::uint32_t kv_width() const { return kv_heads * head_dim; }
  bool is_windowed(std::uint32_t layer) const { return window != 0 && layer % window_pattern < window_pattern - 1; }
};

/// Reads all but `vocabulary`. Errors name the key, what came and what was wanted: unsupported (another architecture, mixture of
/// experts, a scaling of positions that is not computed, head dimensions that differ), bad_file (missing, out of bounds).
core::Result<GraphShape> read_graph_shape(const GgufFile& file);

}  // namespace spillway::model
