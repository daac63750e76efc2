// The same bytes whatever computes them, on the default model with a prompt that crosses two attention segments: each axis alone.
// (The full product of the axes runs on a generated model: tests/model.)

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <future>
#include <thread>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

namespace json = boost::json;

std::string long_prompt() {
  std::string prompt = "Minutes of the production meeting.";
  for (int i = 1; prompt.size() < 3200; ++i) {
    prompt += " Item " + std::to_string(i) + ": the crew of camera " + std::to_string(i * 3 % 7) +
              " moves to the east stand, the captions for language " + std::to_string(i * 5 % 11) +
              " are checked again, and the replay desk waits for the signal.";
  }
  return prompt + " The chair sums up:";
}

struct Result {
  json::array tokens;
  json::array logprobs;
  std::int64_t cached = 0;
  std::int64_t prompt = 0;
  std::string isa;
};

Result result(const Ran& ran) {
  BOOST_REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const auto value = json::parse(ran.out);
  return {value.at("tokens").as_array(), value.at("logprobs").as_array(), value.at("usage").at("cached_tokens").to_number<std::int64_t>(),
          value.at("usage").at("prompt_tokens").to_number<std::int64_t>(), std::string(value.at("isa").as_string())};
}

std::vector<std::string> command(std::vector<std::string> more, const std::string& prompt, int tokens) {
  std::vector<std::string> words{spillway_binary(),      "complete",     "--prompt",   prompt, "--max-tokens",
                                 std::to_string(tokens), "--ignore-eos", "--logprobs", "3",    "--json"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Result embedded(std::vector<std::string> more, const std::string& prompt, int tokens) {
  more.insert(more.end(), {"--model", default_model()});
  return result(run(command(std::move(more), prompt, tokens), std::chrono::seconds(100)));
}

void same(const Result& a, const Result& b, const char* what) {
  BOOST_TEST(!a.tokens.empty(), what);
  BOOST_TEST((a.tokens == b.tokens), what << ": other tokens");
  BOOST_TEST((a.logprobs == b.logprobs), what << ": other log-probabilities");
}

/// How many other streams, all of them past their first token, share the node of `request`; 0 while it has no token itself.
std::uint32_t beside(sdk::Client& client, const std::string& request) {
  const auto status = client.status();
  if (!status) return 0;
  const auto mine = std::find_if(status->streams.begin(), status->streams.end(),
                                 [&](const sdk::StreamInfo& stream) { return stream.request_id == request; });
  if (mine == status->streams.end() || mine->tokens == 0 || mine->node.empty()) return 0;
  return static_cast<std::uint32_t>(std::count_if(status->streams.begin(), status->streams.end(), [&](const sdk::StreamInfo& stream) {
    return stream.request_id != request && stream.node == mine->node && stream.tokens > 0;
  }));
}

const std::vector<std::string> names{"red", "green", "blue"};

std::string toml(int nodes, int port, const char* budget) {
  const std::vector<std::string> some(names.begin(), names.begin() + nodes);
  return cluster_toml(some, port, "smollm2-135m", "path = \"" + default_model() + "\"", "threads = 1",
                      std::string("[limits]\nstep_tokens_max = ") + budget + "\n");
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_axis_alone_gives_the_same_bytes) {
  const auto prompt = long_prompt();
  const auto want = embedded({"--threads", "2"}, prompt, 24);
  BOOST_TEST_MESSAGE("prompt of " << want.prompt << " tokens, computed by " << want.isa);
  BOOST_TEST(want.prompt >= 600);
  BOOST_TEST(want.cached == 0);
  same(want, embedded({"--threads", "1"}, prompt, 24), "one thread");
  if (want.isa == "avx512") {
    const auto narrow = embedded({"--threads", "2", "--isa", "avx2"}, prompt, 24);
    BOOST_TEST(narrow.isa == "avx2");
    same(want, narrow, "AVX2");
  }
  const auto short_want = embedded({"--threads", "2"}, "The crew", 8);
  const auto scalar = embedded({"--threads", "2", "--isa", "scalar"}, "The crew", 8);
  BOOST_TEST(scalar.isa == "scalar");
  same(short_want, scalar, "scalar");

  for (const char* budget : {"32", "2048"}) {
    const int port = free_ports(1);
    UpProcess one(toml(1, port, budget), {"red"}, port);
    BOOST_REQUIRE(one.wait_ready());
    const auto alone = result(run(command({"--config", one.config()}, prompt, 24), std::chrono::seconds(100)));
    BOOST_TEST(alone.cached == 0);
    same(want, alone, "one process");
    const auto again = result(run(command({"--config", one.config()}, prompt, 24), std::chrono::seconds(100)));
    BOOST_TEST(again.cached >= 512);
    same(want, again, "with a prefix hit");
  }
}

BOOST_AUTO_TEST_CASE(three_nodes_and_a_crowd_change_nothing) {
  const auto prompt = long_prompt();
  const auto want = embedded({"--threads", "2"}, prompt, 24);
  const int port = free_ports(3);
  UpProcess three(toml(3, port, "512"), names, port);
  BOOST_REQUIRE(three.wait_ready());
  same(want, result(run(command({"--config", three.config()}, prompt, 24), std::chrono::seconds(100))), "three nodes");
  auto client = three.client();
  std::vector<sdk::Stream> crowd;
  for (int i = 0; i < 32; ++i) {
    sdk::Request request;
    request.prompt = "Voice " + std::to_string(i) + " in the crowd says";
    request.max_tokens = 4000;  // longer than the compared stream, whatever the speed: it is cancelled then
    request.ignore_eos = true;
    auto stream = client.stream(request);
    BOOST_REQUIRE(stream.ok());
    crowd.push_back(std::move(*stream));
  }
  const std::string id = "000000000000000000000000000000bb";
  auto among = std::async(std::launch::async, [&] {
    return run(command({"--config", three.config(), "--request-id", id}, prompt, 24), std::chrono::seconds(200));
  });
  std::uint32_t shared = 0;
  while (among.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) shared = std::max(shared, beside(client, id));
  const auto after = client.status();
  BOOST_REQUIRE(after.ok());
  same(want, result(among.get()), "among 32 others");
  BOOST_TEST_MESSAGE("the compared stream had its tokens beside " << shared << " streams on its node; " << after->streams.size()
                                                                  << " of 32 in all ran to its end");
  BOOST_TEST(after->streams.size() == 32U);
  BOOST_TEST(shared >= 5U);
  for (auto& stream : crowd) stream.cancel();
  for (auto& stream : crowd) {
    const auto ended = stream.wait();
    BOOST_TEST((ended || ended.error().code == sdk::Code::cancelled));
  }
}

}  // namespace spillway::tests
