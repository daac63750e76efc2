// Sixteen processes on one machine hold a thousand streams at once.

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/cluster/load.h"

namespace spillway::tests {

namespace {

constexpr int nodes = 16;
constexpr int streams = 1000;
constexpr std::uint32_t held_least = 950;  // the rest may be between one end and the next beginning
constexpr int samples = 60;                // half a second apart
constexpr int prompts = 40;
constexpr std::uint32_t prompt_tokens = 128;
constexpr std::uint32_t answer_tokens = 64;

std::vector<sdk::Request> requests() {
  std::vector<sdk::Request> made;
  for (int i = 0; i < prompts; ++i) {
    sdk::Request request;
    for (std::uint32_t k = 0; k < prompt_tokens; ++k)
      request.prompt_tokens.push_back(static_cast<std::int32_t>(259 + (i * 131 + k * 17) % 20000));
    request.max_tokens = answer_tokens;
    request.ignore_eos = true;
    made.push_back(request);
  }
  return made;
}

std::uint64_t peak_kib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoull(line.substr(6));
  }
  return 0;
}

/// The example's file with its nodes from `port` on.
std::string example_on(int port) {
  std::ifstream example(std::string(SPILLWAY_SOURCE_DIR) + "/cluster-config/examples/paced-sixteen.toml");
  std::stringstream text;
  text << example.rdbuf();
  std::string toml = text.str();
  const auto at = toml.find("port = 18000");
  BOOST_REQUIRE(at != std::string::npos);
  return toml.replace(at, 12, "port = " + std::to_string(port));
}

/// The bytes of every answer; a tenth of them learnt alone, and compared with those learnt side by side.
std::vector<std::string> undisturbed(const std::vector<sdk::Request>& asked, sdk::Client& client) {
  Load learner(asked);
  learner.learn(client, prompts);
  for (std::size_t i = 0; i < asked.size() / 10; ++i) {
    const auto done = client.complete(asked[i]);
    BOOST_REQUIRE(done.ok());
    BOOST_TEST(bytes_of(*done) == learner.wanted()[i]);
  }
  return learner.wanted();
}

/// A thousand slots; whatever ends begins again. Callbacks instead of a thousand threads.
class Crowd {
 public:
  Crowd(std::vector<sdk::Client>& clients, const std::vector<sdk::Request>& asked, const std::vector<std::string>& wanted)
      : clients_(clients), asked_(asked), wanted_(wanted), tokens_(streams) {}

  void begin(int slot, int turn) {
    const std::size_t prompt = static_cast<std::size_t>(slot + turn * 7) % prompts;
    sdk::StreamCallbacks callbacks;
    callbacks.on_chunk = [this, slot](const sdk::Chunk& chunk) { tokens_[static_cast<std::size_t>(slot)] += chunk.tokens.size(); };
    callbacks.on_end = [this, slot, turn, prompt](const sdk::Result<sdk::Completion>& done) {
      --running;
      if (done) {
        ++finished;
        wrong += bytes_of(*done) != wanted_[prompt];
      } else {
        ++failed;
      }
      if (!stopping) begin(slot, turn + 1);
    };
    ++running;
    if (!clients_[static_cast<std::size_t>(slot) % clients_.size()].stream(asked_[prompt], callbacks)) ++failed;
  }
  std::vector<std::uint64_t> tokens() const { return {tokens_.begin(), tokens_.end()}; }

  std::atomic<std::uint64_t> wrong{0}, failed{0}, finished{0};
  std::atomic<bool> stopping{false};
  std::atomic<int> running{0};

 private:
  std::vector<sdk::Client>& clients_;
  const std::vector<sdk::Request>& asked_;
  const std::vector<std::string>& wanted_;
  std::vector<std::atomic<std::uint64_t>> tokens_;
};

/// Streams that the nodes say they hold.
std::uint32_t streams_held(sdk::Client& client) {
  std::uint32_t held = 0;
  if (const auto status = client.status()) {
    for (const auto& node : status->nodes) held += node.streams;
  }
  return held;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_thousand_streams_run_at_once) {
  const int port = free_ports(nodes);
  std::vector<std::string> names;
  for (int i = 1; i <= nodes; ++i) names.push_back("edge-" + std::to_string(i));
  UpProcess cluster(example_on(port), names, port);
  BOOST_REQUIRE(cluster.wait_ready(std::chrono::seconds(120)));
  const auto asked = requests();
  std::vector<sdk::Client> clients;
  for (std::size_t i = 0; i < 4; ++i) clients.push_back(cluster.client(i * 4));
  const auto wanted = undisturbed(asked, clients[0]);

  Crowd crowd(clients, asked, wanted);
  // Spread over the time of one answer: begun together, streams of one length would end together again and again.
  for (int slot = 0; slot < streams; ++slot) {
    crowd.begin(slot, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(6));
  }
  // All are in, but for those between one end and the next beginning.
  for (int i = 0; i < 600 && streams_held(clients[0]) < held_least; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto before = crowd.tokens();
  const auto start = std::chrono::steady_clock::now();
  std::vector<double> held;
  for (int i = 0; i < samples; ++i) {
    std::this_thread::sleep_until(start + i * std::chrono::milliseconds(500));
    held.push_back(streams_held(clients[0]));
  }
  std::this_thread::sleep_until(start + std::chrono::seconds(30));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto after = crowd.tokens();
  std::vector<double> rates;
  for (std::size_t i = 0; i < after.size(); ++i) rates.push_back(static_cast<double>(after[i] - before[i]) / seconds);
  std::uint64_t peak = 0, sum = 0;
  for (const auto& [name, pid] : cluster.nodes()) {
    peak = std::max(peak, peak_kib(pid));
    sum += peak_kib(pid);
  }
  crowd.stopping = true;
  for (int i = 0; i < 600 && crowd.running > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto slow = std::count_if(rates.begin(), rates.end(), [](double rate) { return rate < 5.0; });
  BOOST_TEST_MESSAGE("streams held: median " << percentile(held, 50) << ", a tenth under " << percentile(held, 10) << ", least "
                                             << percentile(held, 0) << "; under 5 tokens/s " << slow << " of " << streams
                                             << ", tokens/s of a stream: least " << percentile(rates, 0) << ", median "
                                             << percentile(rates, 50) << "; finished " << crowd.finished << ", other bytes " << crowd.wrong
                                             << ", failed " << crowd.failed << "; peak memory of a node " << peak / 1024 << " MiB, of all "
                                             << sum / 1024 << " MiB");
  BOOST_TEST(crowd.wrong == 0U);
  BOOST_TEST(crowd.failed == 0U);
  BOOST_TEST(crowd.finished >= static_cast<std::uint64_t>(streams));
  BOOST_TEST(percentile(held, 10) >= held_least);
  BOOST_TEST(crowd.running == 0);
}

}  // namespace spillway::tests
