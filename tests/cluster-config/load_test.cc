#include "cluster-config/load.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/cluster-config/error_cases.h"
#include "tests/cluster-config/rich_cluster.h"

namespace spillway::config {
namespace {

namespace fs = std::filesystem;

/// A folder of its own, which is the working directory while this lives.
struct Folder {
  fs::path old = fs::current_path();
  fs::path path;
  Folder() {
    char name[] = "/tmp/spillway-load-XXXXXX";
    path = ::mkdtemp(name);
    fs::current_path(path);
  }
  ~Folder() {
    fs::current_path(old);
    fs::remove_all(path);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(load)

BOOST_AUTO_TEST_CASE(a_file_with_every_key_is_accepted) {
  const auto loaded = parse_cluster(rich_cluster(), "rich.toml", {.directory = "/base"});
  if (!loaded) BOOST_FAIL(to_error(loaded.error()).message);
  BOOST_TEST(loaded->name == "studio");
  BOOST_TEST(loaded->nodes.size() == 3U);
  BOOST_TEST(loaded->security.curve);
  BOOST_TEST(loaded->models.at("stand-in").paced.page_bytes == 64U << 10);
  const auto& node = loaded->nodes[0];
  BOOST_TEST(node.kv_memory_bytes == 4ULL << 30);
  BOOST_TEST((node.isa == Isa::avx2));
  BOOST_TEST(node.zone == "studio-a");
  BOOST_TEST(node.bind == "0.0.0.0");
  BOOST_TEST(node.key_file == "/base/keys/left.key");
  BOOST_TEST(!node.start);
  BOOST_TEST(loaded->live.queue_requests_max == 256U);
  BOOST_TEST(!loaded->tenants.at("newsroom").classes.has(core::ServiceClass::batch));
  BOOST_TEST(loaded->limits.bulk_bandwidth_max_bytes_per_s == 100'000'000U);
  BOOST_TEST((loaded->timings.lease == std::chrono::seconds{2}));
  BOOST_TEST(!loaded->spill.enabled);
  BOOST_TEST(loaded->security.tokens.at(0).token_file == "/base/keys/ops.token");
  BOOST_TEST(loaded->security.tokens.at(0).operator_rights);
}

BOOST_AUTO_TEST_CASE(a_pool_becomes_its_members) {
  const auto loaded =
      parse_cluster(small_cluster("[[pools]]\nname = \"e-[8-10]\"\naddress = \"127.0.0.{n}\"\nport = 9000\nstart = 2\nzone = \"z\"\n"
                                  "[[pools]]\nname = \"f[01-02]\"\nport = 9100\nport_step = 7\nkey_file = \"k/{n}.key\"\n"),
                    "c.toml");
  if (!loaded) BOOST_FAIL(to_error(loaded.error()).message);
  BOOST_REQUIRE(loaded->nodes.size() == 6U);
  const auto& first = loaded->nodes[1];
  BOOST_TEST(first.name == "e-8");
  BOOST_TEST((first.id == core::node_id("e-8")));
  BOOST_TEST(first.port == 9000U);
  BOOST_TEST(first.pool == "e-[8-10]");
  BOOST_TEST(first.elastic);
  BOOST_TEST(first.start);
  BOOST_TEST(first.zone == "z");
  BOOST_TEST(first.key_file == "keys/e-8.key");
  BOOST_TEST(first.models == std::vector<std::string>{"m"});
  BOOST_TEST(loaded->nodes[3].address == "127.0.0.10");
  BOOST_TEST(loaded->nodes[3].port == 9000U);  // numbered addresses share one port
  BOOST_TEST(!loaded->nodes[3].start);
  BOOST_TEST(loaded->nodes[5].name == "f02");
  BOOST_TEST((loaded->nodes[5].ports == Ports{9107, 9108, 9109, 9110}));
  BOOST_TEST(loaded->nodes[5].key_file == "k/02.key");
  BOOST_REQUIRE(loaded->pools.size() == 2U);
  BOOST_TEST(loaded->pools[0].first == 8U);
  BOOST_TEST((loaded->pools[0].members[2] == core::node_id("e-10")));
}

BOOST_AUTO_TEST_CASE(members_ten_ports_apart_by_default) {
  const auto loaded = parse_cluster(small_cluster("[[pools]]\nname = \"f[1-2]\"\nport = 9100\n"), "c.toml");
  BOOST_REQUIRE(loaded.has_value());
  BOOST_TEST(loaded->nodes[2].port == 9110U);
}

BOOST_AUTO_TEST_CASE(a_missing_file_a_folder_and_a_large_file_are_refused) {
  const Folder folder;
  for (const auto* name : {"absent.toml", "."}) {
    const auto loaded = load_cluster(name);
    BOOST_REQUIRE(!loaded);
    BOOST_TEST(to_string(loaded.error()[0].kind) == "unreadable");
    BOOST_TEST(loaded.error()[0].file == name);
  }
  std::ofstream{"large.toml"} << small_cluster() << std::string(file_bytes_max, '#');
  const auto large = load_cluster("large.toml");
  BOOST_REQUIRE(!large);
  BOOST_TEST(to_string(large.error()[0].kind) == "too_large");
}

BOOST_AUTO_TEST_CASE(paths_are_relative_to_the_file) {
  const Folder folder;
  fs::create_directory("sub");
  std::ofstream{"sub/c.toml"} << small_cluster("[models.b]\npath = \"../b.gguf\"\n");
  const auto loaded = load_cluster("sub/c.toml");
  BOOST_REQUIRE(loaded.has_value());
  BOOST_TEST(loaded->models.at("b").path == "b.gguf");
  BOOST_TEST(loaded->models.at("b").known.empty());
  BOOST_TEST(loaded->file == "sub/c.toml");
}

BOOST_AUTO_TEST_CASE(the_file_comes_from_the_flag_the_environment_or_the_folder) {
  const Folder folder;
  ::unsetenv("SPILLWAY_CONFIG");
  const auto none = find_config(std::nullopt);
  BOOST_REQUIRE(!none);
  for (const auto* word : {"--config", "SPILLWAY_CONFIG", "spillway.toml"})
    BOOST_TEST((none.error().message.find(word) != std::string::npos));
  std::ofstream{"spillway.toml"} << small_cluster();
  BOOST_TEST(find_config(std::nullopt).value() == "spillway.toml");
  ::setenv("SPILLWAY_CONFIG", "env.toml", 1);
  BOOST_TEST(find_config(std::nullopt).value() == "env.toml");
  BOOST_TEST(find_config("flag.toml").value() == "flag.toml");
  ::unsetenv("SPILLWAY_CONFIG");
}

BOOST_AUTO_TEST_CASE(placement_and_ladders_are_read) {
  const auto loaded = parse_cluster(small_cluster("[placement]\npolicy = \"preble\"\nsample = 4\n[placement.preble]\nwindow = \"1min\"\n"
                                                  "[tenants.t]\ntokens_per_second = 500\nladder = [\"shorter:64\", \"model:m\", "
                                                  "\"defer:1500ms\"]\n[tenants.u]\ntokens_per_second = 10\nburst_tokens = 7\n"),
                                    "c.toml");
  if (!loaded) BOOST_FAIL(to_error(loaded.error()).message);
  BOOST_TEST((loaded->placement.policy == core::PlacementPolicy::preble));
  BOOST_TEST(loaded->placement.sample == 4U);
  BOOST_TEST((loaded->placement.preble.window == std::chrono::minutes(1)));
  const Tenant& tenant = loaded->tenants.at("t");
  BOOST_TEST(tenant.burst_tokens == 5000U);
  BOOST_REQUIRE(tenant.rungs.size() == 3U);
  BOOST_TEST(tenant.rungs[0].tokens == 64U);
  BOOST_TEST((tenant.rungs[1].model_id == core::model_id("m")));
  BOOST_TEST((tenant.rungs[2].wait == std::chrono::milliseconds(1500)));
  BOOST_TEST(loaded->tenants.at("u").burst_tokens == 7U);
  BOOST_TEST(loaded->tenants.at("u").rungs.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
