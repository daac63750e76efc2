// spillway sim: validate here, the other commands in files of their own
#include <iostream>
#include <memory>

#include "app/client_options.h"
#include "app/commands.h"
#include "app/sim_replay_command.h"
#include "app/sim_run_command.h"
#include "app/sim_speed_command.h"
#include "app/sim_what_if.h"
#include "app/sim_workload_command.h"
#include "sim/profile.h"
#include "sim/validate.h"

namespace spillway::app {
namespace {

struct ValidateFlags {
  sim::ValidateOptions options;
  bool json = false;
};

int validate(const ValidateFlags& flags) {
  const auto done = sim::validate(flags.options);
  if (!done) return complain(done.error().message);
  for (const auto& doubt : done->doubts) std::cerr << doubt << '\n';
  if (flags.json) {
    std::cout << sim::to_json(*done) << '\n';
  } else {
    std::cout << sim::to_table(*done);
  }
  return 0;
}

void add_validate(CLI::App& sim, Run& run) {
  auto* command = sim.add_subcommand("validate",
                                     "Hold the simulator against a run of a real engine: the batcher of this program "
                                     "schedules the same requests in virtual time, with step times from measured tables");
  const auto flags = std::make_shared<ValidateFlags>();
  auto& options = flags->options;
  command->add_option("DIR", options.folder, "Folder of the measured tables and of the real run")->required();
  command->add_option("--workload", options.workload, "JSON lines: input_length, output_length, hash_ids")->type_name("FILE")->required();
  const auto count = [command](const char* name, auto& into, std::int64_t max, const char* text) {
    command->add_option(name, into, text)->type_name("N")->check(CLI::Range(std::int64_t{1}, max));
  };
  count("--kv-blocks", options.engine.kv_blocks, sim::kv_blocks_max, "KV blocks of 16 tokens; default: as vllm-meta.json says");
  count("--max-seqs", options.engine.sequences_max, sim::sequences_limit, "Running sequences; default: vllm-meta.json, else 256");
  count("--max-batched-tokens", options.engine.step_tokens_max, sim::step_tokens_limit,
        "Token budget of a step; default: vllm-meta.json, else 2048");
  count("--layers", options.layers, sim::layers_max, "Layers of the model; default: by its name");
  command->add_flag("--no-prefix-cache", options.engine.no_prefix_cache, "Share no blocks; default: as vllm-meta.json says, else share");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->callback([flags, &run] { run = [flags] { return validate(*flags); }; });
}

}  // namespace

void add_sim_command(CLI::App& app, Run& run) {
  auto* command =
      app.add_subcommand("sim", "Simulate: the cores that decide in production, in virtual time; and the workloads they are given");
  command->require_subcommand(1);
  add_validate(*command, run);
  add_sim_run(*command, run);
  add_sim_speed(*command, run);
  add_sim_sweep(*command, run);
  add_sim_size(*command, run);
  add_sim_workload(*command, run);
  add_sim_replay(*command, run);
}

}  // namespace spillway::app
