// libFuzzer target: any bytes as a cluster file. What is refused says why; what is accepted holds nodes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cluster-config/load.h"

using namespace spillway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto cluster = config::parse_cluster({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  if (cluster ? cluster->nodes.empty() : cluster.error().empty()) __builtin_trap();
  return 0;
}
