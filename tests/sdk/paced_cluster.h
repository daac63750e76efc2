#pragma once

#include <boost/test/unit_test.hpp>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

/// Three paced nodes, a token each 10 ms.
struct PacedCluster {
  std::vector<std::string> names{"red", "green", "blue"};
  int port = free_ports(3);
  UpProcess cluster{cluster_toml(names, port, "paced", "kind = \"paced\"\n[models.paced.paced]\nstep_us = 10000\n", "kv_blocks = 1024", ""),
                    names, port};
  PacedCluster() { BOOST_REQUIRE(cluster.wait_ready()); }
};

}  // namespace spillway::tests
