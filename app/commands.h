#pragma once

#include <CLI/CLI.hpp>
#include <functional>

/// One function for each command: it adds the command with its flags and, when that command is chosen, stores what to run in
/// `run`. What runs returns the exit code: 0, 1 for a failure, 2 for a wrong use.
namespace spillway::app {

using Run = std::function<int()>;

void add_up_command(CLI::App& app, Run& run);
void add_node_command(CLI::App& app, Run& run);
void add_chat_command(CLI::App& app, Run& run);
void add_complete_command(CLI::App& app, Run& run);
void add_status_command(CLI::App& app, Run& run);
void add_load_command(CLI::App& app, Run& run);
void add_drain_command(CLI::App& app, Run& run);
void add_move_command(CLI::App& app, Run& run);
void add_models_command(CLI::App& app, Run& run);
void add_config_command(CLI::App& app, Run& run);
void add_keys_command(CLI::App& app, Run& run);
void add_profile_command(CLI::App& app, Run& run);
void add_render_command(CLI::App& app, Run& run);
void add_sim_command(CLI::App& app, Run& run);
void add_version_command(CLI::App& app, Run& run);

}  // namespace spillway::app
