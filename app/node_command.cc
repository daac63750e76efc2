// spillway node: one node of a cluster in this process

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "actors/node_host.h"
#include "app/client_options.h"
#include "app/cluster_file.h"
#include "app/commands.h"
#include "app/decision_log_flags.h"
#include "app/signals.h"
#include "core/log.h"

namespace spillway::app {

namespace {

constexpr auto links_wait = std::chrono::seconds(3);
constexpr auto loading_wait_max = std::chrono::seconds(2);  // of a stop, for a model that is being loaded

struct NodeFlags {
  std::string file;
  std::string name;
  std::string log_level = "info";
  DecisionLogFlags decision_log;
  int ready_fd = -1;
};

/// Tells whoever started this node that it cannot serve and why: 0 and the words, where a node that serves says 1.
int give_up(const NodeFlags& flags, const std::string& why, int code) {
  if (flags.ready_fd >= 0) {
    const std::string told = "0" + why;
    if (::write(flags.ready_fd, told.data(), told.size()) < 0) core::log_debug("nobody waits for this node to be ready");
  }
  return complain(flags.name + ": " + why, code);
}

int node(const NodeFlags& flags) {
  core::LogLevel level = core::LogLevel::info;
  if (!core::parse_log_level(flags.log_level, level)) {
    return complain("--log-level " + flags.log_level + ": want trace, debug, info, warn, error or off", 2);
  }
  core::log_init(flags.name, level);
  const auto cluster = load_cluster_and_models(flags.file);
  if (!cluster) return complain(config::to_error(cluster.error()).message, 2);
  // Before the first thread starts, so that every thread leaves the signals to `wait`.
  Signals signals;
  actors::HostOptions options;
  options.cluster = *cluster;
  options.node = flags.name;
  options.decision_log = flags.decision_log.folder;
  options.decision_log_answers = flags.decision_log.answers;
  options.on_drained = [] { ::kill(::getpid(), SIGTERM); };
  auto host = actors::NodeHost::start(std::move(options));
  if (!host) return give_up(flags, host.error().message, host.error().code == core::Errc::unknown_node ? 2 : 1);
  // Ready = it serves and knows the others, so that whoever waits for it finds a whole cluster; absent nodes are not waited for long.
  const auto links_by = std::chrono::steady_clock::now() + links_wait;
  bool told = false;
  for (;;) {
    const bool linked = told || (*host)->linked() || std::chrono::steady_clock::now() >= links_by;
    const auto loaded = told ? core::Result<void>() : (*host)->wait_ready(core::Duration{0});
    // Alone it tries to load the model again and again; under `up`, which counts the failures, it leaves.
    if (!loaded && loaded.error().code == core::Errc::bad_file && flags.ready_fd >= 0) return give_up(flags, loaded.error().message, 1);
    if (!told && linked && loaded) {
      told = true;
      core::log_info("ready");
      if (flags.ready_fd >= 0) {
        const char byte = '1';
        if (::write(flags.ready_fd, &byte, 1) != 1) core::log_debug("nobody waits for this node to be ready");
      }
    }
    if (signals.wait(told ? std::chrono::milliseconds(60000) : std::chrono::milliseconds(20))) break;
  }
  core::log_info("stopping");
  if (!(*host)->stop(std::min<core::Duration>(loading_wait_max, cluster->timings.stop_after / 2))) {
    core::log_info("a model is still being loaded; leaving without it");
    std::_Exit(0);  // no destructor may wait for that thread
  }
  return 0;
}

}  // namespace

void add_node_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("node", "Run one node of a cluster in this process, until SIGINT or SIGTERM");
  const auto flags = std::make_shared<NodeFlags>();
  command->add_option("file", flags->file, "Cluster file")->required()->type_name("FILE");
  command->add_option("--name", flags->name, "Which of its nodes this is")->required();
  command->add_option("--log-level", flags->log_level, "trace, debug, info (default), warn, error or off");
  add_decision_log_flags(*command, flags->decision_log);
  command->add_option("--ready-fd", flags->ready_fd, "Write one byte to this file descriptor when all models are loaded")->group("");
  command->callback([&run, flags] { run = [flags] { return node(*flags); }; });
}

}  // namespace spillway::app
