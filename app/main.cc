// The binary `spillway`. Each command lives in a file of its own and is one line of the list below.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "cluster-config/suggest.h"

namespace spillway::app {
namespace {

constexpr int exit_failure = 1;
constexpr int exit_wrong_use = 2;

using AddCommand = void (*)(CLI::App& app, Run& run);
constexpr AddCommand commands[] = {
    add_up_command,   add_node_command,   add_chat_command,   add_complete_command, add_status_command,  add_drain_command,
    add_move_command, add_models_command, add_config_command, add_keys_command,     add_version_command,
};

/// The innermost command that was named.
const CLI::App& chosen(const CLI::App& app) {
  const auto* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return *at;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + ' ' + app.get_name();
}

/// Says what is wrong with the command line, what was probably meant and where help is.
int wrong_use(const CLI::App& app, const std::string& what, int argc, char** argv) {
  const auto& at = chosen(app);
  std::cerr << full_name(at) << ": " << what;
  std::vector<std::string_view> names;
  for (const auto* sub : at.get_subcommands([](const CLI::App*) { return true; })) names.push_back(sub->get_name());
  for (const auto* option : at.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back(name);
  }
  for (int i = 1; i < argc; ++i) {
    std::string_view word{argv[i]};
    if (what.find(word) == std::string::npos) continue;
    while (word.starts_with('-')) word.remove_prefix(1);
    const auto near = config::nearest(word.substr(0, word.find('=')), names);
    if (near.empty() || near == word) continue;
    std::cerr << "; did you mean `" << near << "`?";
    break;
  }
  std::cerr << "\nsee `" << full_name(at) << " --help`\n";
  return exit_wrong_use;
}

int run_command_line(int argc, char** argv) {
  CLI::App app{"Spillway serves language models from a cluster of ordinary machines, and its running streams can move.", "spillway"};
  app.set_version_flag("--version", "spillway " SPILLWAY_VERSION);
  app.require_subcommand(0, 1);
  Run run;
  for (const auto add : commands) add(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);  // --help, --version
  } catch (const CLI::ParseError& error) {
    return wrong_use(app, error.what(), argc, argv);
  }
  if (!run) {
    std::cerr << app.help();
    return exit_wrong_use;
  }
  const int status = run();
  std::cout.flush();
  if (!std::cout && status == 0) {
    std::cerr << "spillway: cannot write to standard output\n";
    return exit_failure;
  }
  return status;
}

}  // namespace
}  // namespace spillway::app

int main(int argc, char** argv) {
  try {
    return spillway::app::run_command_line(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "spillway: this is a fault of Spillway, please report it: " << error.what() << '\n';
    return spillway::app::exit_failure;
  }
}
