#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
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
/// A new command is one line here and one in commands.h.
constexpr AddCommand commands[] = {
    add_up_command,      add_node_command,   add_chat_command,   add_complete_command, add_status_command,
    add_drain_command,   add_move_command,   add_models_command, add_config_command,   add_keys_command,
    add_profile_command, add_render_command, add_sim_command,    add_load_command,     add_version_command,
};

/// Where a command line went wrong: the innermost command that was named, and the words behind it.
struct Place {
  const CLI::App* command;
  std::vector<std::string> words;
};

Place place_of(const CLI::App& app, int argc, const char* const* argv) {
  Place place{&app, {}};
  for (int i = 1; i < argc; ++i) {
    const std::string word{argv[i]};
    const auto subs = place.command->get_subcommands([&word](const CLI::App* sub) { return sub->check_name(word); });
    if (place.words.empty() && !subs.empty()) {
      place.command = subs.front();
    } else {
      place.words.push_back(word);
    }
  }
  return place;
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : full_name(*app.get_parent()) + ' ' + app.get_name();
}

/// The flag or command that a word was meant to be; empty when none is near or the word is one.
std::string meant(const CLI::App& command, std::string_view word) {
  const bool flag = word.starts_with("--");
  if (flag) word = word.substr(2, word.find('=') == std::string_view::npos ? word.npos : word.find('=') - 2);
  std::vector<std::string> names;
  if (flag) {
    for (const auto* option : command.get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back(name);
    }
  } else {
    for (const auto* sub : command.get_subcommands([](const CLI::App*) { return true; })) names.push_back(sub->get_name());
  }
  const auto near = config::nearest(word, {names.begin(), names.end()});
  if (near.empty() || near == word) return {};
  return (flag ? "--" : "") + std::string{near};
}

int wrong_use(const CLI::App& app, std::string what, int argc, const char* const* argv) {
  const auto place = place_of(app, argc, argv);
  const bool wants_command = !place.command->get_subcommands([](const CLI::App*) { return true; }).empty();
  if (wants_command && !place.words.empty() && !place.words.front().starts_with('-')) what = "no command `" + place.words.front() + "`";
  std::cerr << full_name(*place.command) << ": " << what;
  for (const auto& word : place.words) {
    const auto guess = meant(*place.command, word);
    if (guess.empty()) continue;
    std::cerr << "; did you mean `" << guess << "`?";
    break;
  }
  std::cerr << "\nsee `" << full_name(*place.command) << " --help`\n";
  return exit_wrong_use;
}

/// The XDG Base Directory specification has a relative path ignored: it would mean another folder in every working directory.
void ignore_relative_cache_folder() {
  const char* folder = std::getenv("XDG_CACHE_HOME");
  if (folder != nullptr && *folder != '/') ::unsetenv("XDG_CACHE_HOME");
}

int parse_and_run(int argc, const char* const* argv) {
  CLI::App app{"Spillway serves language models from a cluster of ordinary machines, and its running streams can move.", "spillway"};
  app.set_version_flag("--version", "spillway " SPILLWAY_VERSION);
  app.require_subcommand(0, 1);
  ignore_relative_cache_folder();
  Run run;
  for (const auto add : commands) add(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked, std::cout, std::cerr);  // --help, --version
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

int run_command_line(int argc, const char* const* argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "spillway: this is a fault of Spillway, please report it: " << error.what() << '\n';
    return exit_failure;
  }
}

}  // namespace spillway::app
