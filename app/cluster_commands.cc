// spillway status, drain, move

#include <unistd.h>

#include <boost/json.hpp>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <thread>

#include "app/client_options.h"
#include "app/commands.h"
#include "app/move_report.h"

namespace spillway::app {

namespace {

namespace json = boost::json;

json::object to_json(const sdk::ClusterStatus& status) {
  json::array nodes;
  for (const auto& node : status.nodes) {
    nodes.push_back(json::object{{"name", node.name},
                                 {"pid", node.pid},
                                 {"incarnation", node.incarnation},
                                 {"state", node.state},
                                 {"roles", json::array(node.roles.begin(), node.roles.end())},
                                 {"streams", node.streams},
                                 {"queue", node.queue},
                                 {"kv_blocks_used", node.kv_blocks_used},
                                 {"kv_blocks_total", node.kv_blocks_total},
                                 {"tokens_per_second", node.tokens_per_second}});
  }
  json::array streams;
  for (const auto& stream : status.streams) {
    streams.push_back(json::object{{"request_id", stream.request_id},
                                   {"tenant", stream.tenant},
                                   {"class", stream.service_class},
                                   {"owner", stream.owner},
                                   {"node", stream.node.empty() ? json::value(nullptr) : json::value(stream.node)},
                                   {"tokens", stream.tokens},
                                   {"moves", stream.moves}});
  }
  json::object counters;
  for (const auto& [name, value] : status.counters) counters[name] = value;
  return {{"nodes", std::move(nodes)}, {"streams", std::move(streams)}, {"counters", std::move(counters)}};
}

std::string to_table(const sdk::ClusterStatus& status) {
  std::ostringstream out;
  out << std::left << std::setw(16) << "NODE" << std::setw(10) << "STATE" << std::right << std::setw(8) << "STREAMS" << std::setw(7)
      << "QUEUE" << std::setw(18) << "KV BLOCKS" << std::setw(10) << "TOKENS/S" << std::setw(9) << "PID"
      << "\n";
  for (const auto& node : status.nodes) {
    out << std::left << std::setw(16) << node.name << std::setw(10) << node.state << std::right << std::setw(8) << node.streams
        << std::setw(7) << node.queue << std::setw(18)
        << (std::to_string(node.kv_blocks_used) + " / " + std::to_string(node.kv_blocks_total)) << std::setw(10) << node.tokens_per_second
        << std::setw(9) << node.pid << "\n";
  }
  for (const auto& stream : status.streams) {
    out << stream.request_id << "  " << stream.service_class << "  on " << (stream.node.empty() ? "(waiting)" : stream.node) << "  owner "
        << stream.owner << "  " << stream.tokens << " tokens  " << stream.moves << " moves\n";
  }
  return out.str();
}

struct StatusFlags {
  ClientFlags client;
  bool json = false;
  bool watch = false;
};

int status(const StatusFlags& flags) {
  int code = 0;
  auto client = connect(flags.client, code);
  if (!client) return code;
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  for (;;) {
    const auto status = client->status();
    if (!status) return complain(status.error());
    if (flags.json) {
      std::cout << json::serialize(to_json(*status)) << std::endl;
    } else {
      if (flags.watch && terminal) std::cout << "\033[H\033[2J";
      std::cout << to_table(*status) << std::flush;
    }
    if (!flags.watch) return 0;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

struct MoveFlags {
  ClientFlags client;
  std::string request;
  std::string node;
  std::uint32_t timeout_s = 60;
  bool json = false;
};

int move(const MoveFlags& flags) {
  int code = 0;
  auto client = connect(flags.client, code);
  if (!client) return code;
  const auto moved = client->move(flags.request, flags.node, std::chrono::seconds(flags.timeout_s));
  if (!moved) return complain(moved.error());
  std::cout << (flags.json ? json::serialize(move_json(*moved)) : move_text(*moved)) << "\n";
  return 0;
}

struct DrainFlags {
  ClientFlags client;
  std::string node;
  bool resume = false;
  bool stop = false;
  std::uint32_t timeout_s = 60;
  bool json = false;
};

int drain(const DrainFlags& flags) {
  int code = 0;
  auto client = connect(flags.client, code);
  if (!client) return code;
  const auto mode = flags.resume ? sdk::DrainMode::resume : flags.stop ? sdk::DrainMode::stop : sdk::DrainMode::begin;
  const auto begin = std::chrono::steady_clock::now();
  const auto progress = [](const sdk::DrainProgress& now) {
    std::cerr << "streams left " << now.streams_left << ", commits " << now.commits << ", " << now.bytes << " bytes carried"
              << (now.text.empty() ? "" : ": " + now.text) << "\n";
  };
  const auto done = client->drain(flags.node, mode, progress, std::chrono::seconds(flags.timeout_s));
  if (!done) return complain(done.error());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  std::cout << (flags.json ? json::serialize(drain_json(flags.node, mode, *done, took.count()))
                           : drain_text(flags.node, mode, *done, took.count()))
            << "\n";
  return 0;
}

}  // namespace

void add_status_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("status", "Nodes, streams and counters of a running cluster");
  const auto flags = std::make_shared<StatusFlags>();
  flags->client.add(*command, false);
  command->add_flag("--watch", flags->watch, "Print again every second");
  command->add_flag("--json", flags->json, "Print one JSON value (one a line with --watch)");
  command->callback([&run, flags] { run = [flags] { return status(*flags); }; });
}

void add_move_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("move", "Carry a running request to another node, and wait for the end");
  const auto flags = std::make_shared<MoveFlags>();
  flags->client.add(*command, false);
  command->add_option("request", flags->request, "Request id, as in `spillway status`")->required();
  command->add_option("node", flags->node, "Node to carry it to")->required();
  command->add_option("--timeout", flags->timeout_s, "Seconds to wait (default 60)");
  command->add_flag("--json", flags->json, "Print one JSON value");
  command->callback([&run, flags] { run = [flags] { return move(*flags); }; });
}

void add_drain_command(CLI::App& app, Run& run) {
  auto* command =
      app.add_subcommand("drain", "Move every stream off a node, and wait until it is empty; it takes no new work until --resume");
  const auto flags = std::make_shared<DrainFlags>();
  flags->client.add(*command, false);
  command->add_option("node", flags->node, "Node to empty")->required();
  auto* resume = command->add_flag("--resume", flags->resume, "End a drain: the node takes work again");
  command->add_flag("--stop", flags->stop, "End the node's process once it is empty")->excludes(resume);
  command->add_option("--timeout", flags->timeout_s, "Seconds to wait (default 60)");
  command->add_flag("--json", flags->json, "Print one JSON value");
  command->callback([&run, flags] { run = [flags] { return drain(*flags); }; });
}

}  // namespace spillway::app
