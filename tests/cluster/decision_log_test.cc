// A real cluster logs its decisions while a node is killed and another is drained, both with running streams; then all of them are
// taken again.

#include <signal.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/cluster/load.h"
#include "tests/decisions/memory_log.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

const std::vector<std::string> names{"red", "green", "blue"};
constexpr int streams_wanted = 24;

std::string toml(int port) {
  return cluster_toml(names, port, "paced",
                      "kind = \"paced\"\n[models.paced.paced]\nstep_us = 5000\ndecode_token_us = 50\npage_bytes = \"16KiB\"\n",
                      "kv_blocks = 4096", "[timings]\nrestart_backoff_min = \"50ms\"\n");
}

std::vector<sdk::Request> requests() {
  std::vector<sdk::Request> made;
  for (int i = 0; i < streams_wanted; ++i) {
    sdk::Request request;
    request.prompt = "Commentary on lane " + std::to_string(i) + ": and now they come out of the last bend, side by side,";
    request.max_tokens = 1200;
    request.ignore_eos = true;
    made.push_back(request);
  }
  return made;
}

/// Streams on `node` that have said something and are far from their end.
std::uint32_t running_on(sdk::Client& client, const std::string& node) {
  std::uint32_t count = 0;
  const auto status = client.status();
  if (!status) return 0;
  for (const auto& stream : status->streams) count += stream.node == node && stream.tokens > 0 && stream.tokens < 900;
  return count;
}

template <class Done>
bool eventually(const Done& done) {
  for (int i = 0; i < 500; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

/// The life of a node that is up and has told its blocks; else nothing.
std::string life_of(sdk::Client& client, const std::string& node) {
  const auto status = client.status();
  if (!status) return {};
  for (const auto& info : status->nodes) {
    if (info.name == node && info.state == "up" && info.kv_blocks_total > 0) return info.incarnation;
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_decision_of_a_cluster_with_a_kill_and_a_drain_comes_out_equal) {
  const TempFolder logs;
  const std::string folder = (logs / "logs").string();
  const int port = free_ports(3);
  std::uint32_t killed_with = 0, drained_with = 0;
  {
    UpProcess cluster(toml(port), names, port, {"--decision-log", folder});
    BOOST_REQUIRE(cluster.wait_ready());
    auto client = cluster.client(0);
    std::vector<sdk::Stream> streams;
    for (const auto& request : requests()) {
      auto stream = client.stream(request);
      BOOST_REQUIRE(stream.ok());
      streams.push_back(std::move(*stream));
    }
    BOOST_REQUIRE(eventually([&] { return running_on(client, "blue") >= 4; }));
    std::this_thread::sleep_for(milliseconds(300));  // what they said by then is in the log
    const auto life = life_of(client, "blue");
    killed_with = running_on(client, "blue");
    BOOST_REQUIRE(::kill(cluster.nodes().at("blue"), SIGKILL) == 0);
    BOOST_REQUIRE(eventually([&] {
      const auto now = life_of(client, "blue");
      return !now.empty() && now != life;
    }));
    drained_with = running_on(client, "green");
    const auto drained = client.drain("green");
    BOOST_REQUIRE_MESSAGE(drained.ok(), (drained ? "" : drained.error().message));
    BOOST_TEST(drained->commits > 0U);
    BOOST_REQUIRE(client.drain("green", sdk::DrainMode::resume).ok());
    std::uint32_t moves = 0, restarts = 0;
    for (auto& stream : streams) {
      const auto done = stream.wait();
      BOOST_REQUIRE(done.ok());
      moves += done->moves;
      restarts += done->restarts;
    }
    BOOST_TEST_MESSAGE("killed with " << killed_with << " streams, drained with " << drained_with << "; moves " << moves << ", restarts "
                                      << restarts);
    BOOST_TEST(restarts >= killed_with);
    BOOST_TEST(moves >= drained->commits);
    BOOST_REQUIRE(cluster.stop());
  }
  BOOST_TEST(killed_with >= 4U);
  BOOST_TEST(drained_with >= 4U);
  std::uintmax_t bytes = 0;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
    bytes += entry.file_size();
  }
  BOOST_TEST(files == 4U);  // blue lived twice
  const auto begin = std::chrono::steady_clock::now();
  const auto ran = run({spillway_binary(), "sim", "replay", folder, "--json"});
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  BOOST_TEST_MESSAGE(ran.out << ran.err << bytes << " bytes in " << files << " files, taken again in " << took.count() << " ms");
  BOOST_TEST(ran.code == 0);
  const auto result = boost::json::parse(ran.out).as_object();
  BOOST_TEST(result.size() == 3U);
  BOOST_TEST(result.at("decisions").to_number<std::uint64_t>() > 10000U);
  BOOST_TEST(result.at("equal").to_number<std::uint64_t>() == result.at("decisions").to_number<std::uint64_t>());
  BOOST_TEST(result.at("first_difference").is_null(), boost::json::serialize(result.at("first_difference")));
  // The log of the killed life, and that one alone, ends without an end.
  const auto cut = ran.err.find("is cut off at byte ");
  BOOST_REQUIRE(cut != std::string::npos);
  BOOST_TEST(ran.err.find("is cut off", cut + 1) == std::string::npos);
  BOOST_TEST(ran.err.find("/blue-") < cut);
}

BOOST_AUTO_TEST_CASE(a_coefficient_changed_in_a_real_log_is_reported_at_the_step_it_decides) {
  const TempFolder logs;
  const int port = free_ports(1);
  {
    UpProcess cluster(cluster_toml({"red"}, port, "paced", "kind = \"paced\"", "kv_blocks = 256", ""), {"red"}, port,
                      {"--decision-log", logs.path().string(), "--decision-log-answers"});
    BOOST_REQUIRE(cluster.wait_ready());
    auto client = cluster.client(0);
    auto request = requests().front();
    request.max_tokens = 40;
    BOOST_REQUIRE(client.complete(request).ok());
    BOOST_REQUIRE(cluster.stop());
  }
  const auto file = std::filesystem::directory_iterator(logs.path())->path();
  std::vector<std::string> events;
  const auto whole = decisions::replay(file, [&](const decisions::Decision& decision, const decisions::Replayed&) {
    events.push_back(decision.core + " " + decision.event);
  });
  BOOST_REQUIRE(whole);
  BOOST_TEST(whole->equal == whole->decisions);
  BOOST_TEST(whole->notes.empty());
  std::stringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  const auto bytes = core::as_bytes(text.view());
  decisions::test::OpenLog log({bytes.begin(), bytes.end()});
  BOOST_TEST(log.head.answers);
  // Fewer tokens a step than the prompt has: the first step that is planned for it is another one.
  log.change_start<decisions::BatcherStart>([](auto& start) { start.limits.step_tokens_max = 8; });
  const auto changed = log.closed();
  std::ofstream(file, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(changed.data()), static_cast<std::streamsize>(changed.size()));
  const auto ran = run({spillway_binary(), "sim", "replay", file.string(), "--json"});
  BOOST_TEST_MESSAGE(ran.out << ran.err);
  BOOST_TEST(ran.code == 1);
  const auto result = boost::json::parse(ran.out).as_object();
  const auto& first = result.at("first_difference").as_object();
  const auto accepted = std::find(events.begin(), events.end(), "batcher 0 message Run");
  const auto plan = std::find(accepted, events.end(), "batcher 0 plan step");
  BOOST_REQUIRE((plan != events.end()));
  BOOST_TEST(first.at("decision").to_number<std::ptrdiff_t>() == plan - events.begin() + 1);
  BOOST_TEST(first.at("core").as_string() == "batcher 0");
  BOOST_TEST(first.at("event").as_string() == "plan step");
  BOOST_TEST(first.at("file").as_string() == file.string());
  BOOST_TEST(first.at("expected") != first.at("came"));
  BOOST_TEST(result.at("equal").to_number<std::uint64_t>() < whole->decisions);
}

}  // namespace spillway::tests
