// Nodes killed with SIGKILL under load, while streams move: nobody loses a token.

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <ctime>
#include <random>
#include <regex>
#include <set>
#include <sstream>

#include "tests/cluster/load.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t day = 24LL * 3600 * 1000;

/// Milliseconds of the day, as the log writes its time.
std::int64_t day_ms(std::chrono::system_clock::time_point at) {
  const auto since = std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(since / 1000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return ((local.tm_hour * 60 + local.tm_min) * 60 + local.tm_sec) * 1000LL + since % 1000;
}

/// A time of the day as one that never falls: what is long before `origin` belongs to the day after.
std::int64_t unwrapped(std::int64_t at, std::int64_t origin) {
  return at < origin - day / 2 ? at + day : at;
}

struct LogLine {
  std::int64_t at = 0;
  std::string node;
  std::string text;
};

std::vector<LogLine> parse(const std::string& log, std::int64_t origin) {
  static const std::regex form(R"((\d\d):(\d\d):(\d\d)\.(\d\d\d) (\S+) \S+ (.*))");
  std::vector<LogLine> lines;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    std::smatch part;
    if (!std::regex_match(line, part, form)) continue;
    const auto number = [&](int i) { return std::stoll(part[i]); };
    const auto at = ((number(1) * 60 + number(2)) * 60 + number(3)) * 1000 + number(4);
    lines.push_back({unwrapped(at, origin), part[5], part[6]});
  }
  std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return lines;
}

/// A move as its owner and its source tell it.
struct MoveSpan {
  std::string owner, source, destination;
  std::int64_t offered = -1;
  std::int64_t end = -1;  // committed or failed; -1: neither was said
};

std::vector<MoveSpan> moves(const std::vector<LogLine>& lines) {
  static const std::regex begins(R"(move (\w+) begins: (\S+) to (\S+), epoch (\d+))");
  static const std::regex other(R"(move (\w+) (offered|committed|failed), epoch (\d+).*)");
  std::map<std::string, std::size_t> open;  // by request and epoch
  std::map<std::string, std::size_t> last;  // by request: a new beginning ends the old
  std::vector<MoveSpan> spans;
  for (const auto& line : lines) {
    std::smatch part;
    if (std::regex_match(line.text, part, begins)) {
      if (const auto old = last.find(part[1]); old != last.end() && spans[old->second].end < 0) spans[old->second].end = line.at;
      last[part[1]] = open[part[1].str() + part[4].str()] = spans.size();
      spans.push_back({line.node, part[2], part[3], -1, -1});
    } else if (std::regex_match(line.text, part, other)) {
      const auto found = open.find(part[1].str() + part[3].str());
      if (found == open.end()) continue;
      auto& span = spans[found->second];
      if (part[2] == "offered") {
        if (span.offered < 0) span.offered = line.at;
      } else if (span.end < 0) {
        span.end = line.at;
      }
    }
  }
  return spans;
}

struct Kill {
  std::string victim;
  std::int64_t at = 0;
  std::uint32_t running = 0;  // streams on it just before
};

struct Found {
  int running = 0, moving = 0, source = 0, destination = 0, owner = 0;
  std::vector<double> detection_ms;
};

Found classify(const std::vector<Kill>& kills, const std::vector<LogLine>& lines) {
  Found found;
  const auto spans = moves(lines);
  constexpr std::int64_t silence = 2000;  // a move that nobody ended (its owner died) is over by then
  for (const auto& kill : kills) {
    if (kill.running > 0) ++found.running;
    bool source = false, destination = false, owner = false;
    for (const auto& span : spans) {
      const std::int64_t end = span.end >= 0 ? span.end : span.offered + silence;
      if (span.offered < 0 || span.offered > kill.at || end <= kill.at) continue;
      source |= span.source == kill.victim;
      destination |= span.destination == kill.victim;
      owner |= span.owner == kill.victim;
    }
    found.moving += source || destination || owner;
    found.source += source;
    found.destination += destination;
    found.owner += owner;
    for (const auto& line : lines) {
      if (line.at < kill.at || line.at > kill.at + 5000 || line.text.rfind(kill.victim + " is down", 0) != 0) continue;
      found.detection_ms.push_back(static_cast<double>(line.at - kill.at));
      break;
    }
  }
  return found;
}

std::vector<sdk::Request> requests(int count, std::uint32_t tokens) {
  std::vector<sdk::Request> made;
  for (int i = 0; i < count; ++i) {
    sdk::Request request;
    request.prompt = "Caption desk, item " + std::to_string(i) + ". Write the story of the day in plain words: the";
    request.max_tokens = tokens;
    request.ignore_eos = true;
    if (i % 4 == 3) {
      request.temperature = 0.8F;
      request.seed = static_cast<std::uint64_t>(1000 + i);
      request.n = 2;
      request.max_tokens = tokens / 2;
    }
    made.push_back(std::move(request));
  }
  return made;
}

/// Keeps streams on the move until told to stop.
class Mover {
 public:
  Mover(const UpProcess& cluster, const std::vector<std::string>& names, unsigned seed) {
    for (std::size_t i = 0; i < names.size(); ++i) clients_.push_back(cluster.client(i));
    for (std::size_t i = 0; i < names.size(); ++i) {
      threads_.emplace_back([this, names, i, seed] { run(clients_[i], names, seed + static_cast<unsigned>(i)); });
    }
  }
  ~Mover() {
    stopping_ = true;
    for (auto& thread : threads_) thread.join();
  }

 private:
  void run(sdk::Client& client, const std::vector<std::string>& names, unsigned seed) {
    std::mt19937 random(seed);
    while (!stopping_) {
      const auto status = client.status(milliseconds(1000));
      if (!status || status->streams.empty()) {
        std::this_thread::sleep_for(milliseconds(50));
        continue;
      }
      const auto& stream = status->streams[random() % status->streams.size()];
      const auto& node = names[random() % names.size()];
      if (stream.node.empty() || stream.node == node) continue;
      client.move(stream.request_id, node, milliseconds(3000));
    }
  }
  std::atomic<bool> stopping_{false};
  std::vector<sdk::Client> clients_;
  std::vector<std::thread> threads_;
};

std::uint32_t running_on(sdk::Client& client, const std::string& node) {
  const auto status = client.status(milliseconds(1500));
  std::uint32_t count = 0;
  if (!status) return 0;
  for (const auto& stream : status->streams) count += stream.node == node;
  return count;
}

/// Waits until all three nodes are up in the eyes of `client`.
bool whole(sdk::Client& client, std::size_t nodes) {
  for (int i = 0; i < 300; ++i) {
    const auto status = client.status(milliseconds(1500));
    std::size_t up = 0;
    if (status) {
      for (const auto& node : status->nodes) up += node.state == "up" && node.kv_blocks_total > 0;
    }
    if (up == nodes) return true;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return false;
}

/// A counter as the whole cluster tells it at the end; nothing when nobody tells.
std::optional<std::uint64_t> counter(sdk::Client& client, const std::string& name) {
  const auto status = client.status();
  if (!status) return std::nullopt;
  for (const auto& [key, value] : status->counters) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void check_kills(const Found& found, int kills, const Load::Totals& totals) {
  BOOST_TEST_MESSAGE("kills " << kills << ": with running streams " << found.running << ", with a move in flight " << found.moving
                              << " (as source " << found.source << ", destination " << found.destination << ", owner " << found.owner
                              << "), noticed within 5 s " << found.detection_ms.size());
  BOOST_TEST_MESSAGE("streams finished " << totals.finished << ", tokens " << totals.tokens << ", failed " << totals.failed
                                         << ", other bytes " << totals.wrong << ", moves " << totals.moves << ", restarts "
                                         << totals.restarts << ", reconnects " << totals.reconnects);
  BOOST_TEST_MESSAGE("detection P50 " << percentile(found.detection_ms, 50) << " ms, max " << percentile(found.detection_ms, 100)
                                      << " ms (required: 1000 ms)");
  BOOST_TEST_MESSAGE("longest gap of a stream P50 " << percentile(totals.gaps_ms, 50) << " ms, P99 " << percentile(totals.gaps_ms, 99)
                                                    << " ms (required: 3000 ms)");
  BOOST_TEST(found.running * 4 >= kills * 3);
  BOOST_TEST(found.moving * 4 >= kills);
  BOOST_TEST(found.source >= 3);
  BOOST_TEST(found.destination >= 3);
  BOOST_TEST(found.owner >= 3);
  BOOST_TEST(static_cast<int>(found.detection_ms.size()) >= kills - 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(killed_nodes_cost_nobody_a_token) {
  const int kills_wanted = long_tests() ? 200 : 20;
  const std::vector<std::string> names{"red", "green", "blue"};
  const int port = free_ports(3);
  // Copies last half a second and more: 10 pages of 360 KiB at 6 MB/s.
  UpProcess cluster(cluster_toml(names, port, "smollm2-135m", "path = \"" + default_model() + "\"", "threads = 1",
                                 "[limits]\nbulk_bandwidth_max = \"6MB/s\"\n"),
                    names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  std::vector<sdk::Client> clients;
  for (std::size_t i = 0; i < names.size(); ++i) clients.push_back(cluster.client(i));
  Load load(requests(12, 160));
  load.learn(clients[0], 12);
  load.start(clients, 4);
  std::vector<Kill> kills;
  const auto origin = day_ms(std::chrono::system_clock::now());
  auto watcher = cluster.client(0);
  {
    const Mover mover(cluster, names, 99);
    std::mt19937 random(7);
    while (static_cast<int>(kills.size()) < kills_wanted) {
      std::this_thread::sleep_for(milliseconds(1200 + random() % 600));
      BOOST_REQUIRE_MESSAGE(whole(watcher, names.size()), "the cluster did not become whole again:\n" << cluster.log());
      const std::string& victim = names[random() % names.size()];
      // A node that just came back has nothing to lose yet: streams come to it with the next requests.
      for (int i = 0; i < 100 && running_on(watcher, victim) == 0; ++i) std::this_thread::sleep_for(milliseconds(20));
      const auto nodes = cluster.nodes();
      if (nodes.count(victim) == 0) continue;
      Kill kill{victim, 0, running_on(watcher, victim)};
      kill.at = unwrapped(day_ms(std::chrono::system_clock::now()), origin);
      BOOST_REQUIRE(::kill(nodes.at(victim), SIGKILL) == 0);
      kills.push_back(kill);
    }
  }
  const auto totals = load.stop();
  BOOST_TEST(whole(watcher, names.size()));
  const auto lost = counter(watcher, "tokens_lost");
  check_kills(classify(kills, parse(cluster.log(), origin)), static_cast<int>(kills.size()), totals);
  BOOST_TEST(totals.wrong == 0);
  BOOST_TEST(totals.failed == 0);
  BOOST_TEST(totals.finished >= static_cast<std::uint64_t>(kills_wanted));
  BOOST_TEST(totals.restarts + totals.reconnects > 0U);
  BOOST_REQUIRE(lost.has_value());
  BOOST_TEST(*lost == 0U);
}

}  // namespace spillway::tests
