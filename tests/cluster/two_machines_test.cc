// The example of two machines in two network namespaces: links and clients by CURVE, and a wrong key refused.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

constexpr int exit_skipped = 77;  // ctest: SKIP_RETURN_CODE

std::string tag() {
  return std::to_string(::getpid());
}

/// A command in a network namespace. Not by `ip -n` or `ip netns exec`: those remount /, which is no mount point in a chroot.
std::vector<std::string> inside(const std::string& space, const std::vector<std::string>& command) {
  std::vector<std::string> all{"/usr/bin/env", "nsenter", "--net=/run/netns/" + space};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

/// `ip WORDS`, in a namespace unless that is empty.
Ran ip(const std::string& space, const std::string& words) {
  std::vector<std::string> command{"ip"};
  std::istringstream in(words);
  for (std::string word; in >> word;) command.push_back(word);
  if (!space.empty()) return run(inside(space, command));
  command.insert(command.begin(), "/usr/bin/env");
  return run(command);
}

/// Two namespaces joined by a pair of virtual cables.
class Network {
 public:
  Network() {
    if (::geteuid() != 0) {
      std::cerr << "network namespaces need root: this test did not run\n";
      std::exit(exit_skipped);
    }
    make("", "netns add " + left());
    make("", "netns add " + right());
    make("", "link add swl" + tag() + " type veth peer name swr" + tag());
    make("", "link set swl" + tag() + " netns " + left());
    make("", "link set swr" + tag() + " netns " + right());
    set_up(left(), "swl" + tag(), "10.77.0.1/24");
    set_up(right(), "swr" + tag(), "10.77.0.2/24");
  }
  ~Network() { clear(); }
  static std::string left() { return "spillway-left-" + tag(); }
  static std::string right() { return "spillway-right-" + tag(); }

 private:
  static void set_up(const std::string& space, const std::string& device, const std::string& address) {
    make(space, "addr add " + address + " dev " + device);
    make(space, "link set " + device + " up");
    make(space, "link set lo up");
  }
  static void make(const std::string& space, const std::string& words) {
    const auto made = ip(space, words);
    if (made.code != 0) clear();
    BOOST_REQUIRE_MESSAGE(made.code == 0, "ip " << words << ": " << made.err);
  }
  static void clear() {
    ip("", "netns del " + left());
    ip("", "netns del " + right());
  }
};

/// A node in a namespace, ended with the object.
class NodeProcess {
 public:
  NodeProcess(const std::string& space, const std::string& config, const std::string& name, const std::filesystem::path& log) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ != 0) return;
    die_with_parent(parent, SIGTERM);
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    const auto words = inside(space, {spillway_binary(), "node", config, "--name", name});
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~NodeProcess() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

 private:
  pid_t pid_ = 0;
};

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void replace(std::string& text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, "the example has no '" << what << "'");
  text.replace(at, what.size(), with);
}

std::string new_key(const std::filesystem::path& file) {
  const auto made = run({spillway_binary(), "keys", "new", "--out", file.string()});
  BOOST_REQUIRE_MESSAGE(made.code == 0, made.err);
  return made.out.substr(0, made.out.find_last_not_of(" \n") + 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_machines_by_key_and_nobody_else) {
  default_model();
  const Network network;
  const TempFolder folder;
  std::filesystem::create_directory(folder / "keys");
  auto toml = read(std::string(SPILLWAY_SOURCE_DIR) + "/cluster-config/examples/two-machines.toml");
  for (const std::string who : {"left", "right", "captioner"}) {
    replace(toml, "PUT THE PUBLIC KEY OF " + who + " HERE", new_key(folder / "keys" / (who + ".key")));
  }
  BOOST_REQUIRE(run({spillway_binary(), "keys", "secret", "--out", (folder / "keys" / "cluster.secret").string()}).code == 0);
  const auto config = (folder / "two-machines.toml").string();
  std::ofstream(config) << toml;
  const NodeProcess left(Network::left(), config, "left", folder / "left.log");
  const NodeProcess right(Network::right(), config, "right", folder / "right.log");
  for (int i = 0; i < 600; ++i) {
    if (read(folder / "left.log").find("ready") != std::string::npos && read(folder / "right.log").find("ready") != std::string::npos)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const auto ask = [&](const std::string& space, const std::string& key, std::vector<std::string> command) {
    command.insert(command.begin(), spillway_binary());
    for (const auto& word : {std::string("--config"), config, std::string("--key"), key}) command.push_back(word);
    return run(inside(space, command), std::chrono::minutes(4));
  };
  const auto key = (folder / "keys" / "captioner.key").string();
  const auto status = ask(Network::left(), key, {"status", "--json"});
  BOOST_REQUIRE_MESSAGE(status.code == 0, status.err << read(folder / "left.log") << read(folder / "right.log"));
  const auto value = boost::json::parse(status.out);
  for (const auto& node : value.at("nodes").as_array()) BOOST_TEST(node.at("state").as_string() == "up");
  BOOST_TEST(value.at("nodes").as_array().size() == 2U);

  // A stream crosses from one machine to the other.
  const std::string id = "000000000000000000000000000000aa";
  const std::vector<std::string> question{"complete",     "--prompt", "The weather tomorrow:", "--max-tokens", "1000",
                                          "--ignore-eos", "--json"};
  auto asker = std::async(std::launch::async, [&] {
    auto named = question;
    named.insert(named.end(), {"--request-id", id});
    return ask(Network::right(), key, named);
  });
  int commits = 0;
  for (int i = 0; i < 100 && commits == 0; ++i) {
    for (const std::string node : {"left", "right"}) commits += ask(Network::left(), key, {"move", id, node}).code == 0 ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const Ran answer = asker.get();
  BOOST_REQUIRE_MESSAGE(answer.code == 0, answer.err);
  const auto moved = boost::json::parse(answer.out);
  const auto again = ask(Network::left(), key, question);
  BOOST_REQUIRE(again.code == 0);
  BOOST_TEST(moved.at("moves").to_number<int>() >= 1);
  BOOST_TEST((moved.at("tokens") == boost::json::parse(again.out).at("tokens")));
  BOOST_TEST_MESSAGE("moves between the machines " << moved.at("moves").to_number<int>());

  // A key that nobody listed, and no key at all.
  new_key(folder / "keys" / "stranger.key");
  const auto stranger = ask(Network::left(), (folder / "keys" / "stranger.key").string(), {"status"});
  BOOST_TEST(stranger.code != 0);
  BOOST_TEST_MESSAGE("a stranger is told: " << stranger.err);
  const auto keyless = run(inside(Network::left(), {spillway_binary(), "status", "--config", config}));
  BOOST_TEST(keyless.code != 0);
  BOOST_TEST(keyless.err.find("--key") != std::string::npos);
}

}  // namespace spillway::tests
