// Clients that die, hang or ask wrongly; and the end of `up`.

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/cluster/relay.h"
#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

const std::vector<std::string> names{"red", "green", "blue"};

struct Fixture {
  int port = free_ports(3);
  UpProcess cluster{cluster_toml(names, port, "paced", "kind = \"paced\"\n[models.paced.paced]\nstep_us = 20000\n", "kv_blocks = 1024", ""),
                    names, port};
  Fixture() { BOOST_REQUIRE(cluster.wait_ready()); }
};

/// `spillway complete` as a process of its own, which runs for a long time.
pid_t start_client(const std::string& config) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  die_with_parent(parent, SIGKILL);  // a stopped one hears nothing else
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(null, STDERR_FILENO);
  const std::string binary = spillway_binary();
  ::execl(binary.c_str(), "spillway", "complete", "--config", config.c_str(), "--prompt", "A long story about the sea", "--max-tokens",
          "4000", "--ignore-eos", static_cast<char*>(nullptr));
  ::_exit(127);
}

struct Use {
  std::uint32_t blocks = 0;
  std::size_t streams = 0;
  bool known = false;
};

Use use(sdk::Client& client) {
  Use found;
  const auto status = client.status();
  if (!status) return found;
  found.known = true;
  found.streams = status->streams.size();
  for (const auto& node : status->nodes) found.blocks += node.kv_blocks_used;
  return found;
}

bool wait_running(sdk::Client& client) {
  for (int i = 0; i < 300; ++i) {
    const auto now = use(client);
    if (now.streams == 1 && now.blocks > 0) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

/// Keeps a port of loopback from everybody else.
class HeldPort {
 public:
  explicit HeldPort(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    BOOST_REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    BOOST_REQUIRE(::listen(fd_, 1) == 0);
  }
  ~HeldPort() { release(); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;
  void release() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

/// Until `done` says so; false after half a minute.
template <class Done>
bool eventually(const Done& done) {
  for (const auto until = Clock::now() + std::chrono::seconds(30); Clock::now() < until;) {
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

/// The state of `node` as the cluster tells it, "" while nobody tells.
std::string state_of(const UpProcess& cluster, const std::string& node) {
  sdk::ClientOptions options;
  options.endpoints = cluster.endpoints();
  options.connect_timeout = milliseconds(500);
  auto client = sdk::Client::connect(options);
  if (!client) return "";
  const auto status = client->status();
  if (!status) return "";
  for (const auto& one : status->nodes) {
    if (one.name == node) return one.state;
  }
  return "";
}

/// How long until no stream and no used block is left.
milliseconds until_free(sdk::Client& client, milliseconds limit) {
  const auto begin = Clock::now();
  while (Clock::now() - begin < limit) {
    const auto now = use(client);
    if (now.known && now.streams == 0 && now.blocks == 0) break;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
}

}  // namespace

BOOST_AUTO_TEST_CASE(up_is_ready_without_a_node_that_left_and_ends_well_when_all_are_drained) {
  const int port = free_ports(3);
  HeldPort held(port + 20);  // blue cannot start
  UpProcess cluster(cluster_toml(names, port, "paced", "kind = \"paced\"\n", "kv_blocks = 64",
                                 "[timings]\nrestart_backoff_min = \"100ms\"\nrestart_backoff_max = \"200ms\"\n"),
                    names, port);
  BOOST_REQUIRE(eventually([&] { return state_of(cluster, "green") == "up"; }));
  ::kill(cluster.nodes().at("green"), SIGTERM);  // by hand: it is not started again
  BOOST_REQUIRE(eventually([&] { return cluster.nodes().count("green") == 0; }));
  held.release();
  BOOST_REQUIRE(cluster.wait_ready());
  std::ifstream in(std::filesystem::path(cluster.config()).parent_path() / "out");
  std::stringstream said;
  said << in.rdbuf();
  BOOST_TEST(said.str() == "ready: 2 nodes of cluster test, without green\n");

  const auto red = run({spillway_binary(), "drain", "red", "--stop", "--router", "blue", "--config", cluster.config()});
  BOOST_TEST(red.code == 0, red.err);
  // The last one may be gone before it has answered.
  run({spillway_binary(), "drain", "blue", "--stop", "--router", "blue", "--timeout", "5", "--config", cluster.config()});
  siginfo_t ended{};
  BOOST_REQUIRE(eventually([&] {
    return ::waitid(P_PID, static_cast<id_t>(cluster.pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == cluster.pid();
  }));
  BOOST_TEST(ended.si_code == CLD_EXITED);
  BOOST_TEST(ended.si_status == 0, cluster.log());
}

BOOST_FIXTURE_TEST_SUITE(client, Fixture)

BOOST_AUTO_TEST_CASE(a_killed_client_frees_its_blocks) {
  auto watcher = cluster.client(1);
  const pid_t pid = start_client(cluster.config());
  BOOST_REQUIRE(wait_running(watcher));
  ::kill(pid, SIGKILL);
  const auto took = until_free(watcher, milliseconds(8000));
  ::waitpid(pid, nullptr, 0);
  BOOST_TEST_MESSAGE("blocks free " << took.count() << " ms after SIGKILL");
  BOOST_TEST(took.count() < 4000);  // by its connection, not by its silence (5 s)
}

BOOST_AUTO_TEST_CASE(a_stopped_client_loses_its_stream_after_its_silence) {
  auto watcher = cluster.client(1);
  const pid_t pid = start_client(cluster.config());
  BOOST_REQUIRE(wait_running(watcher));
  ::kill(pid, SIGSTOP);
  const auto took = until_free(watcher, milliseconds(15000));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  BOOST_TEST_MESSAGE("blocks free " << took.count() << " ms after SIGSTOP");
  BOOST_TEST(took.count() >= 3000);
  BOOST_TEST(took.count() < 15000);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_cut_off_loses_its_stream_though_its_connection_stands) {
  auto watcher = cluster.client(1);
  Relay relay(port + 3);
  sdk::ClientOptions options;
  options.endpoints = {{"127.0.0.1:" + std::to_string(relay.port()), ""}};
  options.silence_max = std::chrono::minutes(5);  // it does not leave by itself
  auto client = sdk::Client::connect(options);
  BOOST_REQUIRE_MESSAGE(client.ok(), (client ? "" : client.error().message));
  sdk::Request request;
  request.prompt = "A long story about a cable";
  request.max_tokens = 4000;
  request.ignore_eos = true;
  auto stream = client->stream(request);
  BOOST_REQUIRE(stream.ok());
  BOOST_REQUIRE(stream->next().has_value());
  BOOST_REQUIRE(wait_running(watcher));
  relay.cut();
  const auto held = use(watcher);
  BOOST_TEST(held.blocks > 0U);
  const auto took = until_free(watcher, milliseconds(20000));
  const auto left = use(watcher);
  BOOST_TEST_MESSAGE("blocks free " << took.count() << " ms after the cut (required: client_silence_max, 5000 ms); held " << held.blocks
                                    << ", left " << left.blocks << "; bytes carried before " << relay.carried());
  BOOST_TEST(left.known);
  BOOST_TEST(left.streams == 0U);
  BOOST_TEST(left.blocks == 0U);
  BOOST_TEST(relay.open_at_client() >= 1);  // it was not a closed connection that gave it away
}

BOOST_AUTO_TEST_CASE(an_interrupted_client_cancels_its_stream) {
  auto watcher = cluster.client(1);
  const pid_t pid = start_client(cluster.config());
  BOOST_REQUIRE(wait_running(watcher));
  ::kill(pid, SIGINT);
  int status = 0;
  ::waitpid(pid, &status, 0);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 130);
  BOOST_TEST(until_free(watcher, milliseconds(5000)).count() < 4000);
}

BOOST_AUTO_TEST_CASE(commands_print_one_json_value_and_name_what_is_wrong) {
  const auto status = run({spillway_binary(), "status", "--config", cluster.config(), "--json"});
  BOOST_TEST(status.code == 0);
  const auto value = boost::json::parse(status.out);
  BOOST_TEST(value.at("nodes").as_array().size() == 3U);
  BOOST_TEST(value.at("nodes").at(0).at("state").as_string() == "up");
  BOOST_TEST(value.at("counters").as_object().contains("tokens_lost"));
  const auto done = run({spillway_binary(), "complete", "--config", cluster.config(), "--prompt", "Hello", "--max-tokens", "8", "--json"});
  BOOST_TEST(done.code == 0);
  BOOST_TEST(boost::json::parse(done.out).at("tokens").as_array().size() <= 8U);
  const auto wrong = run({spillway_binary(), "complete", "--config", cluster.config(), "--prompt", "Hello", "--kv", "raw32"});
  BOOST_TEST(wrong.code == 2);
  BOOST_TEST(wrong.out.empty());
  BOOST_TEST(wrong.err.find("--kv") != std::string::npos);
  const auto nobody = run({spillway_binary(), "move", "--config", cluster.config(), "00000000000000000000000000000009", "red"});
  BOOST_TEST(nobody.code == 1);
  BOOST_TEST(nobody.err.find("00000000000000000000000000000009") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(sigterm_ends_up_with_no_process_left) {
  BOOST_TEST(cluster.nodes().size() == 3U);
  auto watcher = cluster.client(1);
  auto stream = watcher.stream([] {
    sdk::Request request;
    request.prompt = "Until the end";
    request.max_tokens = 4000;
    request.ignore_eos = true;
    return request;
  }());
  BOOST_REQUIRE(wait_running(watcher));
  const auto took = cluster.stop();
  BOOST_REQUIRE(took.has_value());
  BOOST_TEST_MESSAGE("up ended " << took->count() << " ms after SIGTERM");
  BOOST_TEST(took->count() < 5000);
  BOOST_TEST(cluster.nodes().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
