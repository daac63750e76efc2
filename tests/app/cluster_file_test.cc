#include "app/cluster_file.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/app/run_command.h"

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(cluster_file)

BOOST_AUTO_TEST_CASE(a_model_of_the_users_cache_is_known_too) {
  const TestFolder folder;
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string old = before == nullptr ? "" : before;
  ::setenv("XDG_CACHE_HOME", folder.file("cache").c_str(), 1);
  const auto file = folder.file("c.toml");
  std::ofstream{file} << "version = 1\n[models.mine]\n[[nodes]]\nname = \"a\"\n";
  const auto without = load_cluster_and_models(file);
  std::filesystem::create_directories(folder.file("cache/spillway/models/mine"));
  std::ofstream{folder.file("cache/spillway/models/mine/mine.gguf")} << "GGUF";
  const auto with = load_cluster_and_models(file);
  old.empty() ? ::unsetenv("XDG_CACHE_HOME") : ::setenv("XDG_CACHE_HOME", old.c_str(), 1);
  BOOST_REQUIRE(!without);
  BOOST_TEST(
      config::to_error(without.error()).message.find(file + ":2: models.mine: want `path` or a known model (smollm2-135m, gemma3-270m)") ==
      0U);
  BOOST_TEST(with.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
