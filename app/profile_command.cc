// spillway profile: the times of a worker's steps, as tables for the simulator
#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/json.hpp>
#include <csignal>
#include <iostream>
#include <memory>
#include <thread>

#include "app/client_options.h"
#include "app/commands.h"
#include "app/device_profile.h"
#include "app/progress_line.h"
#include "model/cpu_device.h"
#include "model/store.h"

namespace spillway::app {

namespace {

struct ProfileFlags {
  std::string model, folder, kv = "raw16";
  unsigned threads = 0;
  std::uint32_t rows_max = 512, decodes_max = 32, context_max = 4096, rounds = 3;
  bool json = false;
};

std::atomic<bool> stopped{false};

int profile(const ProfileFlags& flags) {
  const auto path = model::resolve_model(flags.model);
  if (!path) return complain(path.error().message);
  model::CpuOptions options;
  options.path = *path;
  options.name = flags.model;
  options.threads = flags.threads != 0 ? flags.threads : std::max(1U, std::thread::hardware_concurrency());
  options.step_rows_max = std::max(flags.rows_max, flags.decodes_max);
  if (!core::parse_page_format(flags.kv, options.page_format)) return complain("--kv " + flags.kv + ": want raw32 or raw16", 2);
  const auto device = model::CpuDevice::make(options);
  if (!device) return complain(device.error().message);
  auto grid = ProfileGrid::up_to(flags.rows_max, flags.decodes_max, std::min(flags.context_max, (*device)->info().context_max));
  grid.rounds = flags.rounds;
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });
  const auto times = [&] {
    const ProgressLine progress("points");
    return measure(**device, grid, [&progress](std::size_t done, std::size_t all) {
      progress.show(done, all);
      return !stopped;
    });
  }();
  if (!times) return complain(times.error().message);
  if (auto written = write_profile(flags.folder, *times, (*device)->info(), options.threads); !written)
    return complain(written.error().message);
  const auto check = check_profile(**device, flags.folder, grid);
  if (!check) return complain(check.error().message);
  const std::size_t points = times->dense.size() + times->head.size() + times->attention.size();
  if (flags.json) {
    std::cout << boost::json::object{{"folder", flags.folder},
                                     {"model", flags.model},
                                     {"isa", (*device)->info().isa},
                                     {"threads", options.threads},
                                     {"points", points},
                                     {"steps_checked", check->steps},
                                     {"error_percent_mean", check->mean_percent},
                                     {"error_percent_max", check->worst_percent}}
              << '\n';
  } else {
    std::cout << flags.folder << ": " << points << " points; " << check->steps << " steps between them are off by " << check->mean_percent
              << " % on average, " << check->worst_percent << " % at worst\n";
  }
  return 0;
}

}  // namespace

void add_profile_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("profile", "Measure the steps of a worker on this machine and write its tables for `spillway sim`");
  const auto flags = std::make_shared<ProfileFlags>();
  command->add_option("--model", flags->model, "Path or known name")->required();
  command->add_option("--out", flags->folder, "Folder of the tables; made when it is not there")->type_name("DIR")->required();
  command->add_option("--kv", flags->kv, "Page format of the KV cache: raw32, raw16 (default raw16)")
      ->check(CLI::IsMember({"raw32", "raw16"}));
  command->add_option("--threads", flags->threads, "Threads of the model step; default: all")->check(CLI::Range(1U, 1024U));
  const auto count = [command](const char* name, auto& into, std::uint32_t most, const char* text) {
    command->add_option(name, into, text)->type_name("N")->check(CLI::Range(1U, most));
  };
  count("--max-rows", flags->rows_max, 65536, "Largest step, in rows (default 512)");
  count("--max-seqs", flags->decodes_max, 4096, "Most streams in a step (default 32)");
  count("--max-context", flags->context_max, 1U << 20U, "Longest stream, in tokens (default 4096, or what the model has)");
  count("--rounds", flags->rounds, 1000, "Steps of each point; the median counts (default 3)");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->callback([flags, &run] { run = [flags] { return profile(*flags); }; });
}

}  // namespace spillway::app
