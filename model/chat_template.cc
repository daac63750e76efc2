#include "model/chat_template.h"

#include <cctype>

namespace spillway::model {

namespace {

constexpr std::string_view start_mark = "<|im_start|>";
constexpr std::string_view end_mark = "<|im_end|>";

/// The source without what does not matter: white space outside string literals and the dashes of white-space control go,
/// every literal comes to stand in single quotes with its escapes resolved.
std::string normalised(std::string_view source) {
  std::string out;
  char quote = 0;
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    if (quote != 0) {
      if (c == '\\' && i + 1 < source.size()) {
        const char next = source[++i];
        out += next == 'n' ? '\n' : next;
      } else if (c == quote) {
        out += '\'';
        quote = 0;
      } else {
        out += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      out += '\'';
    } else if (c == '-' && ((!out.empty() && (out.back() == '%' || out.back() == '{')) || source.substr(i + 1).starts_with('%'))) {
      continue;
    } else if (!std::isspace(static_cast<unsigned char>(c))) {
      out += c;
    }
  }
  return out;
}

constexpr std::string_view loop_head = "{%formessageinmessages%}";
constexpr std::string_view default_head = "{%ifloop.firstandmessages[0]['role']!='system'%}{{'<|im_start|>system\n";
constexpr std::string_view default_tail = "<|im_end|>\n'}}{%endif%}";

/// What may stand in the loop for one message, and behind it for the generation prompt.
constexpr std::string_view message_forms[] = {
    "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>'+'\n'}}{%endfor%}",
    "{{'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'}}{%endfor%}",
    "{{'<|im_start|>'+message.role+'\n'+message.content+'<|im_end|>'+'\n'}}{%endfor%}",
    "{{'<|im_start|>'+message.role+'\n'+message.content+'<|im_end|>\n'}}{%endfor%}",
};
constexpr std::string_view prompt_form = "{%ifadd_generation_prompt%}{{'<|im_start|>assistant\n'}}{%endif%}";

bool take(std::string_view& text, std::string_view head) {
  if (!text.starts_with(head)) return false;
  text.remove_prefix(head.size());
  return true;
}

bool take_message(std::string_view& text) {
  for (const std::string_view form : message_forms) {
    if (take(text, form)) return true;
  }
  return false;
}

}  // namespace

core::Result<ChatTemplate> ChatTemplate::from_source(std::string_view source) {
  const std::string normal = normalised(source);
  std::string_view rest = normal;
  ChatTemplate made;
  bool known = take(rest, loop_head);
  if (known && take(rest, default_head)) {
    const std::size_t end = rest.find(default_tail);
    known = end != rest.npos && end != 0;
    if (known) {
      made.default_system_ = rest.substr(0, end);
      rest.remove_prefix(end + default_tail.size());
    }
  }
  known = known && take_message(rest) && take(rest, prompt_form) && rest.empty();
  if (!known) {
    return core::fail(core::Errc::unsupported,
                      "the model's chat template " + in_quotes(source) +
                          " is not one that this build knows (ChatML); `spillway complete` still works with this model");
  }
  return made;
}

core::Result<ChatTemplate> ChatTemplate::from_gguf(const GgufFile& file) {
  constexpr std::string_view key = "tokenizer.chat_template";
  if (!file.has(key)) {
    return core::fail(core::Errc::unsupported,
                      "the model has no chat template (tokenizer.chat_template); `spillway complete` still works with it");
  }
  const auto source = file.get_string(key);
  if (!source) return tl::make_unexpected(source.error());
  return from_source(*source);
}

core::Result<std::vector<TextPiece>> ChatTemplate::render(const std::vector<ChatMessage>& messages) const {
  if (messages.empty()) return core::fail(core::Errc::bad_argument, "the conversation has no messages: give at least one");
  std::vector<TextPiece> pieces;
  std::string plain;
  const auto mark = [&](std::string_view text) {
    if (!plain.empty()) pieces.push_back({std::move(plain), false});
    plain.clear();
    pieces.push_back({std::string(text), true});
  };
  const auto add = [&](std::string_view role, std::string_view content) {
    mark(start_mark);
    plain.append(role).append("\n").append(content);
    mark(end_mark);
    plain += '\n';
  };
  if (!default_system_.empty() && messages.front().role != "system") add("system", default_system_);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role.empty())
      return core::fail(core::Errc::bad_argument, "messages[" + std::to_string(i) + "].role is empty: want system, user or assistant");
    add(messages[i].role, messages[i].content);
  }
  mark(start_mark);
  pieces.push_back({"assistant\n", false});
  return pieces;
}

core::Result<std::string> ChatTemplate::render_text(const std::vector<ChatMessage>& messages) const {
  const auto pieces = render(messages);
  if (!pieces) return tl::make_unexpected(pieces.error());
  std::string text;
  for (const TextPiece& piece : *pieces) text += piece.text;
  return text;
}

}  // namespace spillway::model
