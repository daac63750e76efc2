#include "model/chat_template.h"

#include <algorithm>

namespace spillway::model {

namespace {

/// Text of the token that `key` names; empty when there is none.
core::Result<std::string> token_text(const GgufFile& file, const std::vector<std::string_view>& tokens, std::string_view key) {
  const auto id = file.get_token_id(key, static_cast<std::uint32_t>(tokens.size()));
  if (!id) return tl::make_unexpected(id.error());
  return *id ? std::string(tokens[static_cast<std::size_t>(**id)]) : std::string();
}

jinja::Datum text_datum(std::string_view text) {
  return {std::string(text)};
}

}  // namespace

core::Result<ChatTemplate> ChatTemplate::from_source(std::string_view source, std::optional<std::string> bos,
                                                     std::optional<std::string> eos) {
  auto compiled = jinja::Template::compile(source);
  if (!compiled) {
    core::Error error = compiled.error().to_error();
    error.message += "; `spillway complete` still works with this model";
    return tl::make_unexpected(error);
  }
  return ChatTemplate(std::move(*compiled), std::move(bos), std::move(eos));
}

core::Result<ChatTemplate> ChatTemplate::from_gguf(const GgufFile& file) {
  constexpr std::string_view key = "tokenizer.chat_template";
  if (!file.has(key)) {
    return core::fail(core::Errc::unsupported,
                      "the model has no chat template (tokenizer.chat_template); `spillway complete` still works with it");
  }
  const auto source = file.get_string(key);
  if (!source) return tl::make_unexpected(source.error());
  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!tokens) return tl::make_unexpected(tokens.error());
  auto bos = token_text(file, *tokens, "tokenizer.ggml.bos_token_id");
  if (!bos) return tl::make_unexpected(bos.error());
  auto eos = token_text(file, *tokens, "tokenizer.ggml.eos_token_id");
  if (!eos) return tl::make_unexpected(eos.error());
  return from_source(*source, std::move(*bos), std::move(*eos));
}

jinja::TemplateResult<jinja::Rendered> ChatTemplate::render_variables(jinja::Datum variables, const jinja::RenderOptions& options) const {
  if (auto* object = std::get_if<jinja::Datum::Object>(&variables.value)) {
    const auto add = [&](std::string_view name, const std::optional<std::string>& text) {
      const bool there = std::any_of(object->begin(), object->end(), [&](const auto& entry) { return entry.name == name; });
      if (text && !there) object->push_back({std::string(name), text_datum(*text)});
    };
    add("bos_token", bos_);
    add("eos_token", eos_);
  }
  return template_.render(variables, options);
}

core::Result<std::vector<TextPiece>> ChatTemplate::render(const std::vector<ChatMessage>& messages, const jinja::LocalTime& now) const {
  if (messages.empty()) return core::fail(core::Errc::bad_argument, "the conversation has no messages: give at least one");
  jinja::Datum::List list;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role.empty())
      return core::fail(core::Errc::bad_argument, "messages[" + std::to_string(i) + "].role is empty: want system, user or assistant");
    list.push_back({jinja::Datum::Object{{"role", text_datum(messages[i].role)}, {"content", text_datum(messages[i].content)}}});
  }
  // `tools` and `documents` are there and none, as the hubs' own library has it.
  jinja::Datum variables{
      jinja::Datum::Object{{"messages", {std::move(list)}}, {"tools", {}}, {"documents", {}}, {"add_generation_prompt", {true}}}};
  const auto rendered = render_variables(std::move(variables), {.now = now, .limits = {}});
  if (!rendered) return tl::make_unexpected(rendered.error().to_error());
  std::vector<TextPiece> pieces;
  std::size_t from = 0;
  const auto add = [&](std::size_t to, bool own) {
    if (from < to) pieces.push_back({rendered->text.substr(from, to - from), own});
    from = to;
  };
  for (const jinja::TextSpan& span : rendered->own) {
    add(span.begin, false);
    add(span.end, true);
  }
  add(rendered->text.size(), false);
  return pieces;
}

core::Result<std::string> ChatTemplate::render_text(const std::vector<ChatMessage>& messages, const jinja::LocalTime& now) const {
  const auto pieces = render(messages, now);
  if (!pieces) return tl::make_unexpected(pieces.error());
  std::string text;
  for (const TextPiece& piece : *pieces) text += piece.text;
  return text;
}

}  // namespace spillway::model
