#pragma once

#include <string>
#include <vector>

#include "tests/model/gguf_writer.h"

namespace spillway::model::test {

/// Byte-level BPE vocabulary of 280-odd tokens: 0 <|endoftext|>, 1 <|im_start|>, 2 <|im_end|> (EOS), the 256 bytes, then the
/// results of `tiny_merges`, then "[user]" as a user-defined token, then `more`, which no merge makes. `rule` is the pre-tokenizer
/// (none: no such key), `chat_template` may be empty.
void add_tiny_bpe(GgufWriter& writer, std::string_view rule, std::string_view chat_template, const std::vector<std::string>& more = {});
/// Merges in order of rank, in the printable alphabet (a space is U+0120).
std::vector<std::string> tiny_merges();

/// SentencePiece vocabulary: 0 <unk>, 1 <s>, 2 </s> (EOS), 256 bytes, then pieces with falling scores. BOS is added.
void add_tiny_spm(GgufWriter& writer);
std::vector<std::string> tiny_pieces();

/// ChatML with a default system message, in the words of the default model's template.
std::string tiny_chat_template();

}  // namespace spillway::model::test
