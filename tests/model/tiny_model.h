#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/bytes.h"

namespace spillway::model::test {

enum class TinyTypes { mixed, floats };  ///< F32, F16, Q4_1 and Q8_0 in turn, or F32 and F16 alone
enum class TinyVocabulary { bpe, spm };

struct TinyOptions {
  std::uint64_t seed = 1;
  TinyTypes types = TinyTypes::mixed;
  TinyVocabulary vocabulary = TinyVocabulary::bpe;
  bool tied = true;           ///< no output.weight
  bool rope_factors = false;  ///< with rope_freqs.weight
  std::uint32_t layers = 2;
  std::uint32_t width = 96;
  std::uint32_t heads = 3;
  std::uint32_t kv_heads = 1;
  std::uint32_t head_dim = 64;
  std::uint32_t hidden = 160;
  std::uint32_t context = 4096;
};

/// A model of the `llama` architecture with seeded random weights and a tiny vocabulary; the same bytes on every machine.
struct TinyModel {
  TinyOptions options;
  std::uint32_t vocabulary = 0;
  core::ByteVector file;                              ///< GGUF
  std::map<std::string, std::vector<double>> values;  ///< of each tensor as the file has it, exact
};
TinyModel make_tiny_model(const TinyOptions& options);

/// Writes it below the system's folder for temporary files and returns the path; the same options give the same path.
/// Aborts when the disk refuses.
std::string write_tiny_model(const TinyOptions& options);

/// Logits of the last row, computed in float64 from the values by a straight reading of the architecture: no pages, no
/// quantised activations, no segments. `round_kv` rounds keys and values to f16 as RAW16 pages do.
std::vector<double> reference_logits(const TinyModel& model, const std::vector<std::int32_t>& tokens, bool round_kv);

}  // namespace spillway::model::test
