#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sdk/include/spillway/client.h"

/// Real processes for tests: `spillway up` with a cluster file of the test's own, on ports that are free.
namespace spillway::tests {

/// Path of the binary under test.
std::string spillway_binary();
/// Path of the default model's file; the test fails, saying what to run, when it was not fetched.
std::string default_model();
/// True with SPILLWAY_TEST_LONG=1: the full counts.
bool long_tests();

/// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// First of `count` blocks of ten ports each, all free on loopback now.
int free_ports(int count);

/// For a child between fork and exec: it gets `signal` when the thread that forked it ends, so that a test that dies leaves no
/// process behind. `parent` is the process that forked.
void die_with_parent(pid_t parent, int signal);

/// Output and exit code of a command that is run to its end (killed, code -1, when it takes longer).
struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};
Ran run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit = std::chrono::seconds(60));

/// One cluster of real processes.
class UpProcess {
 public:
  /// Writes `toml` and starts `spillway up` with `flags`. `names` are its nodes; node i has base port `first_port + 10 i`.
  UpProcess(const std::string& toml, std::vector<std::string> names, int first_port, const std::vector<std::string>& flags = {});
  ~UpProcess();
  UpProcess(const UpProcess&) = delete;
  UpProcess& operator=(const UpProcess&) = delete;

  /// Until all nodes serve and every router knows what every node has; false after `limit`. A node of which `up` says that it
  /// goes on without it is not waited for.
  bool wait_ready(std::chrono::milliseconds limit = std::chrono::seconds(60));
  /// SIGTERM; how long it took until `up` had gone, nothing when it had to be killed. Twice is fine.
  std::optional<std::chrono::milliseconds> stop(std::chrono::milliseconds limit = std::chrono::seconds(15));

  const std::string& config() const { return config_; }
  std::string log() const;
  /// Client endpoints, beginning with node `first`.
  std::vector<sdk::Endpoint> endpoints(std::size_t first = 0) const;
  sdk::Client client(std::size_t first = 0) const;
  /// Processes of the nodes that run now, by name (read from /proc: the children of `up`).
  std::map<std::string, pid_t> nodes() const;
  pid_t pid() const { return pid_; }

 private:
  /// True when the router of node `at` tells of every node in `wanted` that it is up and has blocks.
  bool knows_all(std::size_t at, const std::vector<std::string>& wanted) const;

  TempFolder folder_;
  std::string config_;
  std::vector<std::string> names_;
  int first_port_ = 0;
  pid_t pid_ = 0;
};

/// Cluster file of `names` with one model; `model_lines` go under [models.NAME], `node_lines` into each node, `tail` to the end.
std::string cluster_toml(const std::vector<std::string>& names, int first_port, const std::string& model, const std::string& model_lines,
                         const std::string& node_lines, const std::string& tail);

}  // namespace spillway::tests
