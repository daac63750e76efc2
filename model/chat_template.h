#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "model/gguf.h"
#include "model/template.h"
#include "model/tokenizer.h"

namespace spillway::model {

struct ChatMessage {
  std::string role;     ///< "system", "user", "assistant", ...
  std::string content;  ///< UTF-8; never parsed for control tokens
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// The chat format of a model: how messages become a prompt, by the template in `tokenizer.chat_template`. Immutable and safe
/// to share between threads.
class ChatTemplate {
 public:
  /// Compiles a source; `bos` and `eos` are what it gets as bos_token and eos_token, if anything. unsupported, naming
  /// line and construct.
  static core::Result<ChatTemplate> from_source(std::string_view source, std::optional<std::string> bos = {},
                                                std::optional<std::string> eos = {});
  /// Reads `tokenizer.chat_template` and the texts of BOS and EOS; unsupported when the model has no template.
  static core::Result<ChatTemplate> from_gguf(const GgufFile& file);

  /// Pieces of the rendered conversation with the generation prompt: what the template itself wrote is `special`, contents and
  /// roles never are, however the template cuts or changes them. bad_argument without messages, with an empty role, or when
  /// the template refuses the conversation.
  core::Result<std::vector<TextPiece>> render(const std::vector<ChatMessage>& messages,
                                              const jinja::LocalTime& now = jinja::local_time()) const;
  /// The same as one text.
  core::Result<std::string> render_text(const std::vector<ChatMessage>& messages, const jinja::LocalTime& now = jinja::local_time()) const;

  /// Any template variables in place of messages; bos_token and eos_token are added where they are not among them.
  jinja::TemplateResult<jinja::Rendered> render_variables(jinja::Datum variables, const jinja::RenderOptions& options) const;

 private:
  ChatTemplate(jinja::Template compiled, std::optional<std::string> bos, std::optional<std::string> eos)
      : template_(std::move(compiled)), bos_(std::move(bos)), eos_(std::move(eos)) {}
  jinja::Template template_;
  std::optional<std::string> bos_, eos_;
};

}  // namespace spillway::model
