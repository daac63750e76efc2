#include "cluster-config/cluster.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cluster-config/load.h"
#include "cluster-config/secrets.h"
#include "tests/cluster-config/error_cases.h"

namespace spillway::config {
namespace {

const std::filesystem::path examples = std::filesystem::path{SPILLWAY_SOURCE_DIR} / "cluster-config/examples";

Cluster example(const char* name) {
  const auto loaded = load_cluster(examples / name);
  if (!loaded) BOOST_FAIL(to_error(loaded.error()).message);
  return *loaded;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster)

BOOST_AUTO_TEST_CASE(a_node_of_one_line_has_all_it_needs) {
  const auto loaded = parse_cluster(small_cluster(), "c.toml");
  BOOST_REQUIRE(loaded.has_value());
  const auto& node = loaded->nodes.at(0);
  BOOST_TEST((node.id == core::node_id("a")));
  BOOST_TEST(node.address == "127.0.0.1");
  BOOST_TEST((node.ports == Ports{7400, 7401, 7402, 7403}));
  BOOST_TEST((node.has(Role::router) && node.has(Role::worker) && !node.has(Role::gateway)));
  BOOST_TEST(node.models == std::vector<std::string>{"m"});
  BOOST_TEST(node.start);
  BOOST_TEST(!node.elastic);
  BOOST_TEST(loaded->models.at("m").known == "m");
  BOOST_TEST((loaded->models.at("m").id == core::model_id("m")));
  BOOST_TEST(loaded->tenants.count("default") == 1U);
  BOOST_TEST(!loaded->security.curve);
  BOOST_TEST((loaded->node("a") == &node));
  BOOST_TEST((loaded->node(core::node_id("a")) == &node));
  BOOST_TEST((loaded->node("b") == nullptr));
  BOOST_TEST((loaded->model(core::model_id("m")) == &loaded->models.at("m")));
  BOOST_TEST((loaded->tenant(core::tenant_id("default")) == &loaded->tenants.at("default")));
  BOOST_TEST((loaded->tenant(core::tenant_id("other")) == nullptr));
  BOOST_TEST((&loaded->rules(core::ServiceClass::batch) == &loaded->batch));
  BOOST_TEST((&loaded->rules(core::ServiceClass::live) == &loaded->live));
}

BOOST_AUTO_TEST_CASE(an_embedded_cluster_is_whole) {
  Model model;
  model.name = "story";
  model.path = "story.gguf";
  const auto cluster = embedded_cluster(model, 2);
  BOOST_REQUIRE(cluster.nodes.size() == 1U);
  BOOST_TEST(cluster.nodes[0].threads == 2U);
  BOOST_TEST((cluster.model(core::model_id("story")) != nullptr));
  BOOST_TEST((cluster.tenant(core::tenant_id("default")) != nullptr));
  BOOST_TEST((cluster.node("embedded") == cluster.nodes.data()));
}

BOOST_AUTO_TEST_CASE(words_of_enums) {
  BOOST_TEST(to_string(Role::gateway) == "gateway");
  BOOST_TEST(to_string(ModelKind::paced) == "paced");
  BOOST_TEST(to_string(Device::cpu) == "cpu");
  BOOST_TEST(to_string(Isa::automatic) == "auto");
  BOOST_TEST(to_string(Isa::avx512) == "avx512");
}

BOOST_AUTO_TEST_CASE(example_embedded) {
  const auto cluster = example("embedded.toml");
  BOOST_REQUIRE(cluster.nodes.size() == 1U);
  BOOST_TEST((cluster.nodes[0].has(Role::router) && cluster.nodes[0].has(Role::worker)));
  BOOST_TEST(cluster.models.at("smollm2-135m").known == "smollm2-135m");
}

BOOST_AUTO_TEST_CASE(example_three_nodes) {
  const auto cluster = example("three-nodes.toml");
  BOOST_REQUIRE(cluster.nodes.size() == 3U);
  for (const auto& node : cluster.nodes) {
    BOOST_TEST(node.address == "127.0.0.1");
    BOOST_TEST(node.threads == 1U);
    BOOST_TEST(node.ports.client < 32'768);
    BOOST_TEST((node.has(Role::router) && node.has(Role::worker)));
  }
  BOOST_TEST((cluster.models.at("smollm2-135m").page_format == core::PageFormat::raw16));
  // A dead node is found within a second.
  BOOST_TEST((cluster.timings.dead_after < std::chrono::seconds{1}));
}

BOOST_AUTO_TEST_CASE(example_paced_sixteen_holds_a_thousand_streams) {
  const auto cluster = example("paced-sixteen.toml");
  BOOST_REQUIRE(cluster.nodes.size() == 16U);
  BOOST_TEST(cluster.nodes.front().name == "edge-1");
  BOOST_TEST(cluster.nodes.back().name == "edge-16");
  BOOST_REQUIRE(cluster.pools.size() == 1U);
  BOOST_TEST(cluster.pools[0].members.size() == 16U);
  std::uint64_t blocks = 0;
  std::uint64_t sequences = 0;
  for (const auto& node : cluster.nodes) {
    blocks += node.kv_blocks;
    sequences += cluster.limits.sequences_max;
    BOOST_TEST(node.elastic);
    BOOST_TEST(node.ports.client < 32'768);
  }
  constexpr std::uint64_t streams = 1000;
  constexpr std::uint64_t blocks_each = 192 / 16;
  BOOST_TEST(blocks - cluster.nodes[0].kv_blocks >= streams * blocks_each);  // one node may be dead
  BOOST_TEST(sequences >= streams);
  BOOST_TEST(cluster.limits.streams_per_router_max >= streams);
  const auto& model = cluster.models.at("paced");
  BOOST_TEST((model.kind == ModelKind::paced));
  const auto step_us = model.paced.step_us + 63 * model.paced.decode_token_us;
  BOOST_TEST(step_us <= 200'000U);  // at least 5 tokens/s for each of 63 streams
}

BOOST_AUTO_TEST_CASE(example_two_machines_wants_keys_and_works_with_them) {
  const auto refused = load_cluster(examples / "two-machines.toml");
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().size() == 3U);  // the three placeholders
  for (const auto& error : refused.error()) BOOST_TEST(to_string(error.kind) == to_string(ErrorKind::bad_key));

  auto text = text_of(examples / "two-machines.toml");
  unsigned number = 1;
  for (const std::string who : {"left", "right", "captioner"}) {
    const auto placeholder = "PUT THE PUBLIC KEY OF " + who + " HERE";
    const auto at = text.find(placeholder);
    BOOST_REQUIRE(at != std::string::npos);
    text.replace(at, placeholder.size(), some_key(number++));
  }
  const auto cluster = parse_cluster(text, "two.toml", {.directory = "/etc/spillway"});
  if (!cluster) BOOST_FAIL(to_error(cluster.error()).message);
  BOOST_TEST(cluster->security.curve);
  BOOST_TEST(cluster->nodes[1].public_key == some_key(2));
  BOOST_TEST(cluster->nodes[1].key_file == "/etc/spillway/keys/right.key");
  BOOST_TEST(cluster->security.secret_file == "/etc/spillway/keys/cluster.secret");
  BOOST_REQUIRE(cluster->security.clients.size() == 1U);
  BOOST_TEST(cluster->security.clients[0].tenants == std::vector<std::string>{"newsroom"});
  BOOST_TEST(cluster->security.clients[0].operator_rights);
}

BOOST_AUTO_TEST_CASE(every_example_is_tried_here) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{examples}) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  BOOST_TEST(names == (std::vector<std::string>{"embedded.toml", "paced-sixteen.toml", "prefill-decode.toml", "three-nodes.toml",
                                                "two-machines.toml"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
