#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/cpu_device.h"
#include "model/score.h"
#include "model/tokenizer.h"

namespace spillway::model {

/// How well a model foresees a text.
struct Perplexity {
  double value = 0.0;         ///< exp of minus the mean log-probability (natural) of the scored tokens
  std::uint64_t tokens = 0;   ///< scored
  std::uint64_t windows = 0;  ///< of the text
};

/// The text, tokenised as a whole without BOS, in windows of `window` tokens; what is left over at the end is dropped. Of each
/// window the last (window - 1) / 2 tokens are the answer that is scored, all before it the prompt (257 and 255 of 512). Where the
/// model wants BOS it stands in the place of each window's first token. The rule is that of llama.cpp's `perplexity`.
/// Errors: bad_argument (a window of fewer than 4 tokens, a text shorter than a window), naming both numbers.
core::Result<std::vector<ScoreCase>> perplexity_windows(const Tokenizer& tokenizer, std::string_view text, std::uint32_t window);

/// Scores each window by itself. `progress` hears after each window how many are done, of how many.
/// Uses blocks of the device's pool as `score` does. Errors: those of perplexity_windows; bad_argument when the file has no
/// vocabulary, when a window does not fit in context or pool.
core::Result<Perplexity> perplexity(CpuDevice& device, std::string_view text, std::uint32_t window,
                                    const std::function<void(std::size_t done, std::size_t all)>& progress);

}  // namespace spillway::model
