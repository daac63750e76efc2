// `up` when it cannot succeed, and clients that come before the cluster. Real processes on free ports.

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>
#include <thread>

#include "app/client_options.h"
#include "tests/cluster/up_process.h"
#include "tests/model/tiny_vocabulary.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

const std::string paced = "kind = \"paced\"\n";
const std::string quick_timings = "[timings]\nrestart_backoff_min = \"50ms\"\nrestart_backoff_max = \"100ms\"\nstop_after = \"1s\"\n";

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Until `done` says so; false after a minute.
template <class Done>
bool eventually(const Done& done) {
  for (int i = 0; i < 3000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

/// Writes a cluster file and runs `up` to its end.
Ran run_up(const std::string& toml) {
  const TempFolder folder;
  const auto file = (folder / "c.toml").string();
  std::ofstream(file) << toml;
  return run({spillway_binary(), "up", file});
}

/// Listens on a port of loopback, or throws nothing and has no descriptor.
int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && ::listen(fd, 1) == 0) return fd;
  ::close(fd);
  return -1;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(up_command)

BOOST_AUTO_TEST_CASE(a_second_up_on_the_same_ports_gives_up_and_says_why) {
  const std::vector<std::string> names{"red", "green"};
  const int port = free_ports(2);
  const auto toml = cluster_toml(names, port, "paced", paced, "kv_blocks = 64", quick_timings);
  UpProcess first(toml, names, port);
  BOOST_REQUIRE(first.wait_ready());
  const auto second = run_up(toml);
  BOOST_TEST(second.code == 1);
  BOOST_TEST(second.out == "");
  BOOST_TEST(has(second.err, "Address already in use"), second.err);
  BOOST_TEST(count(second.err, "it was never ready in ") == 2U, second.err);
  BOOST_TEST(has(second.err, "no node is left; given up: red green"), second.err);
  BOOST_TEST(first.nodes().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_model_that_does_not_load_is_given_up) {
  const TempFolder folder;
  model::test::GgufWriter writer;
  model::test::add_tiny_bpe(writer, "smollm", "");
  const auto file = (folder / "vocabulary.gguf").string();
  BOOST_REQUIRE(writer.write(file));
  const auto ran = run_up(cluster_toml({"red"}, free_ports(1), "m", "path = \"" + file + "\"", "", quick_timings));
  BOOST_TEST(ran.code == 1);
  BOOST_TEST(has(ran.err, "it was never ready in "), ran.err);
  BOOST_TEST(has(ran.err, file), ran.err);
  BOOST_TEST(has(ran.err, "no node is left; given up: red"), ran.err);
}

BOOST_AUTO_TEST_CASE(an_unknown_model_is_told_before_anything_starts) {
  const auto ran = run_up(cluster_toml({"red"}, free_ports(1), "smollm2-135", "", "", ""));
  BOOST_TEST(ran.code == 2);
  BOOST_TEST(has(ran.err, "c.toml:4: models.smollm2-135: want `path` or a known model (smollm2-135m"), ran.err);
  BOOST_TEST(has(ran.err, "did you mean \"smollm2-135m\"?"), ran.err);
}

BOOST_AUTO_TEST_CASE(a_node_that_was_ready_once_is_never_given_up) {
  const std::vector<std::string> names{"red"};
  const int port = free_ports(1);
  UpProcess cluster(cluster_toml(names, port, "paced", paced, "kv_blocks = 64",
                                 "[timings]\nrestart_backoff_min = \"50ms\"\nrestart_backoff_max = \"100ms\"\nstop_after = \"100ms\"\n"),
                    names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  // Its port is taken while it is away: it fails more often, and for longer, than a node that was never ready may.
  int held = -1;
  BOOST_REQUIRE(eventually([&] {
    const auto nodes = cluster.nodes();
    if (nodes.count("red") != 0) ::kill(nodes.at("red"), SIGKILL);
    held = listen_on(port);
    return held >= 0;
  }));
  const auto failures = [&] { return count(cluster.log(), "ended with 1"); };
  BOOST_TEST(eventually([&] { return failures() >= 6; }));
  ::close(held);
  sdk::ClientOptions options;
  options.endpoints = cluster.endpoints();
  BOOST_TEST(eventually([&] { return sdk::Client::connect(options).ok(); }), cluster.log());
  BOOST_TEST(!has(cluster.log(), "never ready"));
}

BOOST_AUTO_TEST_CASE(a_client_waits_for_a_cluster_that_starts) {
  const std::vector<std::string> names{"red"};
  const int port = free_ports(1);
  const auto toml = cluster_toml(names, port, "paced", paced, "kv_blocks = 64", "");
  const TempFolder folder;
  app::ClientFlags flags;
  flags.config = (folder / "c.toml").string();
  std::ofstream(flags.config) << toml;

  std::ostringstream errors;
  auto* old = std::cerr.rdbuf(errors.rdbuf());
  int code = 0;
  const bool alone = app::connect(flags, code, milliseconds(200)).has_value();
  std::cerr.rdbuf(old);
  BOOST_TEST(!alone);
  BOOST_TEST(code == 1);
  BOOST_TEST(count(errors.str(), "waiting for the cluster ...\n") == 1U, errors.str());
  BOOST_TEST(has(errors.str(), "nobody listens at tcp://127.0.0.1:" + std::to_string(port + 3)), errors.str());

  int code_of_waiting = 0;
  auto waiting = std::async(std::launch::async, [&] { return app::connect(flags, code_of_waiting, std::chrono::minutes(1)).has_value(); });
  UpProcess cluster(toml, names, port);
  BOOST_TEST(waiting.get());
  BOOST_TEST(code_of_waiting == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
