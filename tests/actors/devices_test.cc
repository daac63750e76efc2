#include "actors/devices.h"

#include <boost/test/unit_test.hpp>

namespace spillway::tests {

namespace {

constexpr std::uint64_t page_bytes = 1024;

core::Result<std::unique_ptr<model::Device>> load(std::uint32_t blocks, std::uint64_t memory_bytes) {
  config::Cluster cluster;
  config::Model model;
  model.name = "paced";
  model.kind = config::ModelKind::paced;
  model.paced.page_bytes = page_bytes;
  cluster.models.emplace(model.name, model);
  config::Node node;
  node.name = "red";
  node.models = {model.name};
  node.kv_blocks = blocks;
  node.kv_memory_bytes = memory_bytes;
  return actors::device_factory(cluster, node)(0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(devices)

BOOST_AUTO_TEST_CASE(a_pool_is_as_large_as_the_memory_or_the_blocks_say) {
  const auto by_memory = load(0, 40 * page_bytes + 100);
  BOOST_REQUIRE(by_memory.has_value());
  BOOST_TEST((*by_memory)->info().blocks == 40U);
  const auto by_blocks = load(7, 40 * page_bytes);
  BOOST_REQUIRE(by_blocks.has_value());
  BOOST_TEST((*by_blocks)->info().blocks == 7U);
}

BOOST_AUTO_TEST_CASE(more_memory_than_blocks_can_count_is_refused_by_name) {
  // 2^32 + 16 pages: as 32 bits they would be 16.
  const auto loaded = load(0, ((std::uint64_t{1} << 32U) + 16) * page_bytes);
  BOOST_REQUIRE(!loaded.has_value());
  BOOST_TEST((loaded.error().code == core::Errc::bad_config));
  BOOST_TEST(loaded.error().message.find("kv_memory of node red") != std::string::npos, loaded.error().message);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
