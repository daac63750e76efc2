#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster-config/cluster.h"
#include "cluster-config/report.h"

namespace spillway::config {

/// A cluster whose keys have been read one by one, before they are checked against each other.
struct Draft {
  Cluster cluster;
  std::vector<std::string> node_paths;  ///< of each node of `cluster`: "nodes[0]" or, for members, "pools[0]"
  std::optional<bool> curve_wish;       ///< security.curve as written
  std::uint64_t (*name_id)(std::string_view) = core::name_id;
  std::vector<std::string> known_models;  ///< as in ParseOptions
};

/// Everything that no key can tell alone: names, digests, ports, references, security, order. Sets ids and security.curve.
void check_cluster(Draft& draft, Report& report);

}  // namespace spillway::config
