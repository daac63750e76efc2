#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/tokenizer_split.h"

namespace spillway::model {

/// How a family of byte-level BPE vocabularies cuts text into words, and what else its name in `tokenizer.ggml.pre` decides.
/// The rules are the regular expressions that the families publish, read as llama.cpp reads them: all pieces that a step has
/// left, matched or not, go through the next; White_Space beyond ASCII is \s and nothing else.
struct SplitRule {
  std::string_view name;  ///< as in `tokenizer.ggml.pre`
  std::span<const Cut> cuts;
  bool whole_words = false;  ///< a word that is a token is that token, whatever the merges make of it
  bool adds_bos = false;     ///< where the file doesn't say
};

/// Rule of a name in `tokenizer.ggml.pre`, or nothing for one that this build does not know. Files without the key mean
/// "default", the rule of GPT-NeoX and its like.
const SplitRule* find_split_rule(std::string_view name);

/// The names, parted by ", ".
std::string split_rule_names();

}  // namespace spillway::model
