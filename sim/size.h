#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/sweep.h"

/// How many nodes an objective needs, and of which kind they are cheapest.
namespace spillway::sim {

struct SizeQuestion {
  double share = 0.99;          ///< of the requests that must be within their objectives, mean over the seeds
  std::uint32_t nodes_min = 1;  ///< with fewer nothing is tried
  std::uint32_t nodes_max = 64;
  std::uint32_t seeds = 3;
  std::uint64_t first_seed = 1;
  double rate = 1;
  std::uint32_t burst = 1;
};

/// Nodes to build a cluster of.
struct NodeKind {
  std::string name;
  NodePlan node;  ///< each node of the cluster is like it; the first one takes the requests too
};

struct SizeProbe {
  std::uint32_t nodes = 0;
  SweepFigures mean;  ///< over the seeds
  bool enough = false;
};

struct SizeAnswer {
  std::string kind;
  std::optional<std::uint32_t> nodes;  ///< nothing: nodes_max are not enough
  double price_per_hour = 0;
  double idle_watts = 0;
  std::vector<SizeProbe> probes;  ///< by number of nodes
};

/// The node kinds of a plan: one for each different price, speed and device among its workers; the name is that of the first node.
std::vector<NodeKind> node_kinds(const ClusterPlan& plan);
/// A cluster of `count` such nodes with the limits and network of `plan`.
ClusterPlan cluster_of(const ClusterPlan& plan, const NodeKind& kind, std::uint32_t count);

/// Runs jobs 0 to count - 1, in any order, perhaps several at once; false when it was told to stop.
using RunJobs = std::function<bool(std::size_t count, const std::function<void(std::size_t)>& job)>;

/// By bisection over the number of nodes, which takes for granted that more nodes do not make it worse; the answer and one node
/// less were both simulated. Errors: of the simulation; bad_argument for limits that exclude all; cancelled.
core::Result<SizeAnswer> size_of(const SweepInput& input, const NodeKind& kind, const SizeQuestion& question, const RunJobs& run_jobs);

/// The cheapest answer: by price, then by nodes; nothing where no kind is enough.
const SizeAnswer* cheapest(const std::vector<SizeAnswer>& answers);

std::string size_json(const std::vector<SizeAnswer>& answers, const SizeQuestion& question);
std::string size_csv(const std::vector<SizeAnswer>& answers);
std::vector<ChartSection> size_charts(const std::vector<SizeAnswer>& answers, const SizeQuestion& question);
PageTable size_table(const std::vector<SizeAnswer>& answers);

}  // namespace spillway::sim
