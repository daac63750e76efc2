#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "cluster-config/errors.h"
#include "core/time.h"
#include "sim/run_record.h"

/// What happens to a cluster while it is simulated, and what its parts cost. A TOML file:
///   version = 1                  first key
///   workload = "FILE", format = "native"    or   event = "FILE"   paths from the folder of the scenario
///   [network] [start]            keys as the members below
///   [slo.live] [slo.interactive] [slo.batch]   ttft, tpot, e2e
///   [[types]]                    nodes, price_cents_per_hour, idle_watts, busy_watts, speed_percent, step_overhead, tokens_per_step,
///                                guess_permille
///   [[faults]]                   kind, at, nodes, for, percent
/// Nodes are named ("edge-1"), by their zone ("zone:east"), by the beginning of their names ("prefix:edge-"), or "all".
namespace spillway::sim {

struct NetworkSpec {
  core::Duration latency = std::chrono::microseconds{200};     ///< between two nodes of a zone, one way
  core::Duration zone_latency = std::chrono::milliseconds{1};  ///< between zones
  core::Duration client_latency{0};                            ///< between a client and its router, one way
  std::uint64_t nic_bytes_per_second = 1'250'000'000;          ///< of each node, each way
  std::uint64_t zone_bytes_per_second = 12'500'000'000;        ///< of each zone to the others, each way
};

/// A replica that starts during the run loads its model.
struct StartSpec {
  core::Duration process = std::chrono::seconds{1};  ///< before it begins to load
  core::Duration load = std::chrono::seconds{5};     ///< besides the time that the weights travel
  std::uint64_t weight_bytes = 0;                    ///< fetched through the node's network; 0 = they lie on the node
};

/// Nodes of one kind.
struct NodeType {
  std::vector<std::string> nodes;  ///< as in the file
  std::uint32_t price_cents_per_hour = 0;
  std::uint32_t idle_watts = 0;
  std::uint32_t busy_watts = 0;
  std::uint32_t speed_percent = 100;  ///< of the steps of the cluster file or profile
  std::uint32_t tokens_per_step = 1;  ///< of one stream at most: speculation, whose guesses ...
  std::uint32_t guess_permille = 0;   ///< ... are right with this chance, each
  core::Duration step_overhead{0};    ///< of each step beside the time of the device: messages to and from it, timers
};

enum class FaultKind : std::uint8_t { kill, fail_worker, slow, partition, drain };
std::string_view to_string(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kill;
  core::Duration at{0};            ///< from the first arrival of the workload
  std::vector<std::string> nodes;  ///< partition: these from all others
  core::Duration lasts{0};         ///< then the node starts again, is as fast as before, is reached, takes work; 0 = to the end
  std::uint32_t percent = 200;     ///< slow: of the usual time of a step
};

struct Scenario {
  std::string file;
  std::string workload;  ///< path; empty = none
  std::string format = "native";
  std::string event;
  NetworkSpec network;
  StartSpec start;
  std::array<Slo, 3> slos{};
  std::vector<NodeType> types;
  std::vector<Fault> faults;
};

inline constexpr std::size_t scenario_faults_max = 10'000;

using LoadedScenario = tl::expected<Scenario, config::ConfigErrors>;
LoadedScenario load_scenario(const std::filesystem::path& file);
/// The same for a text; `file` is only named in errors.
LoadedScenario parse_scenario(std::string_view text, std::string_view file);

}  // namespace spillway::sim
