// The package as its users get it: installed under a prefix, found by CMake, with no word of the tree.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/sdk/paced_cluster.h"

namespace spillway::tests {

namespace {

namespace fs = std::filesystem;

Ran must(const std::vector<std::string>& arguments) {
  auto ran = run(arguments, std::chrono::seconds(180));
  BOOST_REQUIRE_MESSAGE(ran.code == 0, arguments[0] << " " << (arguments.size() > 1 ? arguments[1] : "") << " failed:\n"
                                                    << ran.out << ran.err);
  return ran;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(examples_build_from_an_install_prefix_and_run, PacedCluster) {
  const TempFolder folder;
  const std::string prefix = (folder / "prefix").string();
  const std::string source = (folder / "source").string();
  const std::string build = (folder / "build").string();
  must({SPILLWAY_CMAKE, "--install", SPILLWAY_BUILD_DIR, "--component", "sdk", "--prefix", prefix});
  fs::copy(std::string(SPILLWAY_SOURCE_DIR) + "/sdk/examples", source);
  must({SPILLWAY_CMAKE, "-S", source, "-B", build, "-DCMAKE_PREFIX_PATH=" + prefix});
  must({SPILLWAY_CMAKE, "--build", build});
  const std::string endpoint = "127.0.0.1:" + std::to_string(port + 3);
  const auto complete = must({build + "/complete", endpoint, "Hello"});
  BOOST_TEST(complete.out.size() > 10U);
  BOOST_TEST(complete.err.find("64 tokens") != std::string::npos);
  const auto many = must({build + "/many", endpoint, "20"});
  BOOST_TEST(many.out.find("failed 0") != std::string::npos);
  BOOST_TEST_MESSAGE("examples said: " << complete.err << many.out);

  // Public headers name nothing but the standard library and each other.
  int headers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(prefix + "/include")) {
    if (!entry.is_regular_file()) continue;
    ++headers;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      const bool third_party = line.find("zmq") != std::string::npos || line.find("capnp") != std::string::npos ||
                               line.find("boost/") != std::string::npos || line.find("tl/") != std::string::npos;
      BOOST_TEST(!third_party, entry.path().string() << ": " << line);
    }
  }
  BOOST_TEST(headers == 4);
}

}  // namespace spillway::tests
