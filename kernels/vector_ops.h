#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway::kernels {

/// One query tile of attention: `rows` rows of one sequence, the `group` query heads that share one KV head. Row r stands at
/// position `first_position` + r and sees the tokens 0 .. first_position + r, or the last `window` of them. See attention.h.
struct AttentionTile {
  const std::byte* pool = nullptr;  ///< device pool; block b begins at pool + b * page_bytes
  std::size_t page_bytes = 0;
  const std::uint32_t* blocks = nullptr;  ///< block table of the sequence
  std::size_t k_offset = 0;               ///< bytes from the page's begin to K of (layer, KV head): [16][head_dim]
  std::size_t v_offset = 0;
  bool half = false;         ///< values are f16, else f32
  const float* q = nullptr;  ///< row 0, first head of the group; heads are head_dim apart
  float* out = nullptr;      ///< same shape
  std::size_t stride = 0;    ///< floats from one row to the next, of q and out
  std::uint32_t rows = 0;
  std::uint32_t group = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t first_position = 0;
  std::uint32_t window = 0;  ///< tokens that a row sees, itself included; 0 = all
  float scale = 1.0F;        ///< scores are (q . k) * scale
  float* scratch = nullptr;  ///< attention_scratch_floats(group, head_dim)
};

/// The vector ops of one instruction set; each field's contract is that of the public function of the same name.
struct VectorOps {
  void (*exp)(const float* x, float* y, std::size_t n);
  void (*log)(const float* x, float* y, std::size_t n);
  void (*sin)(const float* x, float* y, std::size_t n);
  void (*cos)(const float* x, float* y, std::size_t n);
  void (*rms_norm)(const float* x, const float* weight, float* y, std::size_t n, float epsilon);
  void (*rope)(float* x, const float* cos2, const float* sin2, std::size_t n);
  void (*rope_halves)(float* x, const float* cos2, const float* sin2, std::size_t n);
  void (*silu_mul)(const float* gate, const float* up, float* y, std::size_t n);
  void (*gelu_mul)(const float* gate, const float* up, float* y, std::size_t n);
  void (*softcap)(float* x, std::size_t n, float cap);
  void (*store_values)(const float* x, std::byte* y, std::size_t n, bool half);
  void (*attention)(const AttentionTile& tile);
};

/// Table of the process's current instruction set (isa.h).
const VectorOps& vector_ops();

extern const VectorOps vector_ops_scalar;
#if defined(__x86_64__)
extern const VectorOps vector_ops_avx2;
extern const VectorOps vector_ops_avx512;
#endif

}  // namespace spillway::kernels
