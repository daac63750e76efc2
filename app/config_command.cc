// spillway config check, config reference
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "app/client_options.h"
#include "app/cluster_file.h"
#include "app/commands.h"
#include "app/terminal.h"
#include "cluster-config/load.h"
#include "cluster-config/reference.h"

namespace spillway::app {
namespace {

namespace json = boost::json;

struct ConfigFlags {
  std::string file;
  bool json = false;
};

std::string counted(std::size_t number, std::string_view thing) {
  return std::to_string(number) + ' ' + std::string{thing} + (number == 1 ? "" : "s");
}

json::array to_json(const config::ConfigErrors& errors) {
  json::array out;
  for (const auto& error : errors) {
    out.push_back(json::object{{"kind", config::to_string(error.kind)},
                               {"file", error.file},
                               {"line", error.line},
                               {"key", error.key},
                               {"value", error.value},
                               {"want", error.want},
                               {"fix", error.fix},
                               {"message", config::to_string(error)}});
  }
  return out;
}

int check(const ConfigFlags& flags) {
  const auto file = config::find_config(flags.file.empty() ? std::nullopt : std::optional<std::filesystem::path>{flags.file});
  if (!file) return complain(file.error().message, 2);
  const auto loaded = load_cluster_and_models(*file);
  if (flags.json) {
    json::object out{{"file", file->string()}, {"ok", loaded.has_value()}};
    out["errors"] = loaded ? json::array{} : to_json(loaded.error());
    if (loaded) out["nodes"] = loaded->nodes.size(), out["models"] = loaded->models.size(), out["curve"] = loaded->security.curve;
    std::cout << json::serialize(out) << '\n';
    return loaded ? 0 : 1;
  }
  if (loaded) {
    std::cout << file->string() << ": " << coloured(STDOUT_FILENO, Colour::green, "good") << ": " << counted(loaded->nodes.size(), "node")
              << ", " << counted(loaded->models.size(), "model") << ", " << counted(loaded->tenants.size(), "tenant") << ", CURVE "
              << (loaded->security.curve ? "on" : "off (loopback)") << '\n';
    return 0;
  }
  for (const auto& error : loaded.error()) std::cerr << config::to_string(error) << '\n';
  std::cerr << coloured(STDERR_FILENO, Colour::red, counted(loaded.error().size(), "error")) << " in " << file->string() << '\n';
  return 1;
}

int reference(const ConfigFlags& flags) {
  if (!flags.json) {
    std::cout << config::reference_markdown();
    return 0;
  }
  json::array out;
  for (const auto& row : config::reference_rows()) {
    out.push_back(json::object{{"key", row.key},
                               {"type", row.type},
                               {"want", row.want},
                               {"default", row.required ? json::value(nullptr) : json::value(row.default_value)},
                               {"required", row.required},
                               {"sentence", row.sentence},
                               {"example", row.example}});
  }
  std::cout << json::serialize(out) << '\n';
  return 0;
}

}  // namespace

void add_config_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("config", "Check a cluster file, or list all its keys");
  command->require_subcommand(1);
  const auto flags = std::make_shared<ConfigFlags>();
  auto* check_it = command->add_subcommand("check", "Say everything that is wrong with a cluster file; exit 1 if anything is");
  check_it->add_option("FILE", flags->file, "Cluster file; without it $SPILLWAY_CONFIG, else ./spillway.toml");
  check_it->add_flag("--json", flags->json, "Print one JSON object");
  check_it->callback([flags, &run] { run = [flags] { return check(*flags); }; });
  auto* list = command->add_subcommand("reference", "List every key: what it means, its range, default and an example");
  list->add_flag("--json", flags->json, "Print one JSON list");
  list->callback([flags, &run] { run = [flags] { return reference(*flags); }; });
}

}  // namespace spillway::app
