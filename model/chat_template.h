#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

namespace spillway::model {

struct ChatMessage {
  std::string role;     ///< "system", "user", "assistant", ...
  std::string content;  ///< UTF-8; never parsed for control tokens
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// The chat format of a model: how messages become a prompt. This version knows the ChatML family, recognised by the
/// structure of `tokenizer.chat_template` whatever its white space and quotes:
///   <|im_start|>ROLE\nCONTENT<|im_end|>\n for each message, <|im_start|>assistant\n at the end,
/// and optionally a default system message in front when the first message is none.
class ChatTemplate {
 public:
  /// Recognises a template's source. unsupported, naming its beginning, when it is not one of the family.
  static core::Result<ChatTemplate> from_source(std::string_view source);
  /// Reads `tokenizer.chat_template`; unsupported when the model has none.
  static core::Result<ChatTemplate> from_gguf(const GgufFile& file);

  /// Pieces of the rendered conversation with the generation prompt. bad_argument without messages or with an empty role.
  core::Result<std::vector<TextPiece>> render(const std::vector<ChatMessage>& messages) const;
  /// The same as one text.
  core::Result<std::string> render_text(const std::vector<ChatMessage>& messages) const;

  std::string_view name() const { return default_system_.empty() ? "chatml" : "chatml with a default system message"; }
  const std::string& default_system() const { return default_system_; }

 private:
  std::string default_system_;  // content of the message put in front; empty = none
};

}  // namespace spillway::model
