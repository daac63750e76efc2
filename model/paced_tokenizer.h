#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "model/tokenizer.h"

namespace spillway::model {

/// Ids below this are <unk>, <s>, </s>, the 256 bytes and the space; words begin here.
inline constexpr std::uint32_t paced_first_word = 260;

/// The vocabulary of the paced device: `size` tokens, the same in every process. Any prompt can be written in it (byte by byte);
/// what the device answers is made of its words, each with a leading space, so that the text reads as words.
/// bad_argument when `size` leaves room for fewer than 16 words or is above 1,000,000.
core::Result<std::shared_ptr<const Tokenizer>> paced_tokenizer(std::uint32_t size);

}  // namespace spillway::model
