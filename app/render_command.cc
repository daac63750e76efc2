// spillway render

#include "app/render_command.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/commands.h"
#include "model/chat_template.h"
#include "model/gguf.h"
#include "model/store.h"

namespace spillway::app {

namespace {

namespace jinja = model::jinja;

int failed(const std::string& message, std::ostream& errors, int status = 1) {
  errors << "spillway: " << message << "\n";
  return status;
}

core::Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return core::fail(core::Errc::io, "cannot read " + path + ": give a file that is there");
  return text;
}

core::Result<model::ChatTemplate> open_template(const RenderCommand& command) {
  if (!command.template_file.empty()) {
    const auto source = read_file(command.template_file);
    if (!source) return tl::make_unexpected(source.error());
    const auto compiled = jinja::Template::compile(*source);
    if (!compiled) return core::fail(core::Errc::bad_file, command.template_file + ": " + compiled.error().to_string());
    return model::ChatTemplate::from_source(*source);
  }
  const auto path = model::resolve_model(command.model);
  if (!path) return tl::make_unexpected(path.error());
  const auto file = model::GgufFile::open(*path);
  if (!file) return tl::make_unexpected(file.error());
  return model::ChatTemplate::from_gguf(*file);
}

/// The variables in `path`; a bare list is `messages`, for an answer to come.
core::Result<jinja::Datum> read_variables(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return tl::make_unexpected(text.error());
  auto variables = jinja::parse_json(*text);
  if (!variables) return core::fail(core::Errc::bad_file, path + ": " + variables.error().message);
  if (std::holds_alternative<jinja::Datum::List>(variables->value)) {
    return jinja::Datum{jinja::Datum::Object{{"messages", std::move(*variables)}, {"add_generation_prompt", {true}}}};
  }
  if (!std::holds_alternative<jinja::Datum::Object>(variables->value)) {
    return core::fail(core::Errc::bad_file, path + ": want an object with the template's variables (messages, tools, ...)");
  }
  return variables;
}

}  // namespace

int render(const RenderCommand& command, std::ostream& out, std::ostream& errors) {
  if (command.model.empty() == command.template_file.empty()) return failed("give either --model or --template", errors, 2);
  jinja::RenderOptions options;
  options.now = jinja::local_time();
  if (!command.now.empty()) {
    const auto now = jinja::parse_time(command.now);
    if (!now) return failed("--now: " + now.error().message, errors, 2);
    options.now = *now;
  }
  const auto chat = open_template(command);
  if (!chat) return failed(chat.error().message, errors);
  auto variables = read_variables(command.messages);
  if (!variables) return failed(variables.error().message, errors);
  const auto text = chat->render_variables(std::move(*variables), options);
  if (!text) return failed((command.model.empty() ? command.template_file : command.model) + ": " + text.error().to_string(), errors);
  out << text->text << std::flush;
  return out ? 0 : failed("cannot write the text", errors);
}

void add_render_command(CLI::App& app, Run& run) {
  const auto command = std::make_shared<RenderCommand>();
  CLI::App* sub = app.add_subcommand("render", "Print the prompt that a chat template makes of a conversation");
  auto* model = sub->add_option("--model", command->model, "Path or known name: the template of this model");
  sub->add_option("--template", command->template_file, "A file with the template's source")->excludes(model);
  sub->add_option("--messages", command->messages,
                  "JSON file: an object with the template's variables (messages, tools, add_generation_prompt, ...)")
      ->required();
  sub->add_option("--now", command->now, "Time that strftime_now tells, for example 2026-01-15T12:00:00 (default: the clock)");
  sub->callback([command, &run] { run = [command] { return render(*command, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
