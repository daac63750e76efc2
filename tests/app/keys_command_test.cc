#include <sys/stat.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "cluster-config/load.h"
#include "cluster-config/secrets.h"
#include "tests/app/run_command.h"

namespace spillway::app {
namespace {

std::string text_of(const std::string& file) {
  std::ifstream in{file};
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

unsigned mode_of(const std::string& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 0777U : 0U;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(keys_command)

BOOST_AUTO_TEST_CASE(a_pair_on_stdout) {
  const auto done = run_command({"keys", "new", "--json"});
  BOOST_TEST(done.status == 0);
  const auto keys = boost::json::parse(done.out).as_object();
  BOOST_TEST(config::is_curve_key(std::string{keys.at("public").as_string()}));
  BOOST_TEST(config::is_curve_key(std::string{keys.at("secret").as_string()}));
  BOOST_TEST(run_command({"keys", "new", "--json"}).out != done.out);
  BOOST_TEST(run_command({"keys", "new"}).out.starts_with("public = \""));
}

BOOST_AUTO_TEST_CASE(a_pair_in_a_private_file_shows_its_public_half_alone) {
  const TestFolder folder;
  const auto file = folder.file("keys/a.key");
  const auto done = run_command({"keys", "new", "--out", file});
  BOOST_TEST(done.status == 0);
  BOOST_TEST(mode_of(file) == 0600U);
  const auto keys = config::read_key_file(file);
  BOOST_REQUIRE(keys.has_value());
  BOOST_TEST(done.out == keys->public_key + "\n");
  BOOST_TEST((done.errors.find(keys->secret_key) == std::string::npos));
  BOOST_TEST(run_command({"keys", "show", file}).out == done.out);
  const auto again = run_command({"keys", "new", "--out", file});
  BOOST_TEST(again.status == 1);
  BOOST_TEST((again.errors.find("never overwritten") != std::string::npos));
  const auto absent = run_command({"keys", "show", folder.file("b.key")});
  BOOST_TEST(absent.status == 1);
  BOOST_TEST((absent.errors.find("b.key") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(a_secret) {
  const TestFolder folder;
  const auto text = run_command({"keys", "secret"});
  BOOST_TEST(text.out.size() == 65U);
  BOOST_TEST(run_command({"keys", "secret"}).out != text.out);
  const auto file = folder.file("s");
  BOOST_TEST(run_command({"keys", "secret", "--out", file}).out == "");
  BOOST_TEST(mode_of(file) == 0600U);
  config::Cluster cluster;
  cluster.security.secret_file = file;
  BOOST_TEST(config::cluster_secret(cluster).has_value());
}

BOOST_AUTO_TEST_CASE(two_machines_works_once_its_keys_are_made) {
  // The steps that the example's own comment lists, in a copy of it.
  const TestFolder folder;
  auto text = text_of(SPILLWAY_SOURCE_DIR "/cluster-config/examples/two-machines.toml");
  for (const std::string who : {"left", "right", "captioner"}) {
    BOOST_TEST((text.find("spillway keys new --out keys/" + who + ".key") != std::string::npos));
    auto made = run_command({"keys", "new", "--out", folder.file("keys/" + who + ".key")});
    BOOST_REQUIRE(made.status == 0);
    made.out.pop_back();
    const auto placeholder = "PUT THE PUBLIC KEY OF " + who + " HERE";
    text.replace(text.find(placeholder), placeholder.size(), made.out);
  }
  BOOST_REQUIRE(run_command({"keys", "secret", "--out", folder.file("keys/cluster.secret")}).status == 0);
  const auto file = folder.file("two-machines.toml");
  std::ofstream{file} << text;
  const auto checked = run_command({"config", "check", file});
  BOOST_TEST(checked.errors == "");
  BOOST_TEST(checked.status == 0);
  const auto cluster = config::load_cluster(file);
  BOOST_REQUIRE(cluster.has_value());
  for (const auto& node : cluster->nodes) BOOST_TEST(config::node_keys(node).has_value());
  BOOST_TEST(config::cluster_secret(*cluster).has_value());
  // The key file of the one is not the key of the other.
  auto swapped = cluster->nodes[0];
  swapped.key_file = cluster->nodes[1].key_file;
  BOOST_TEST(!config::node_keys(swapped).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
