// The full product of what must not change an answer, on a generated model in real processes: one process and three nodes, each
// instruction set this machine has, one thread and two, small steps and large ones, with and without a prefix hit, alone and among
// 32 others. Two requests each: greedy with log-probabilities, and sampled forks.

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <map>
#include <sstream>

#include "kernels/isa.h"
#include "tests/cluster/up_process.h"
#include "tests/model/tiny_model.h"

namespace spillway::tests {

namespace {

constexpr int crowd_size = 32;
constexpr int turns_max = 8;

/// A prompt over two borders of attention segments (256 tokens), and its answers.
std::vector<sdk::Request> requests(std::uint32_t vocabulary) {
  sdk::Request greedy;
  for (std::uint32_t i = 0; i < 600; ++i)
    greedy.prompt_tokens.push_back(static_cast<std::int32_t>((i * 7 + i / 11) % (vocabulary - 8) + 4));
  greedy.max_tokens = 12;
  greedy.ignore_eos = true;
  greedy.logprobs = 3;
  sdk::Request sampled = greedy;
  sampled.prompt_tokens.resize(530);
  std::reverse(sampled.prompt_tokens.begin(), sampled.prompt_tokens.end());  // no prefix in common
  sampled.logprobs = 0;
  sampled.n = 2;
  sampled.temperature = 1.0F;
  sampled.seed = 11;
  return {greedy, sampled};
}

/// Tokens and log-probabilities to the last bit.
std::string all_bits(const sdk::Completion& done) {
  std::ostringstream out;
  out << std::hexfloat;
  for (const auto& choice : done.choices) {
    for (const auto& token : choice.tokens) {
      out << token.id << ' ' << token.logprob;
      for (const auto& [id, logprob] : token.top) out << ' ' << id << ':' << logprob;
      out << '\n';
    }
    out << choice.text << '|' << choice.finish_reason << '\n';
  }
  return out.str();
}

struct Combination {
  int nodes;
  std::string isa;
  int threads;
  int budget;
};

struct Counts {
  int answers = 0, hits = 0, misses = 0, crowded = 0;
  std::map<std::string, int> by_isa;
};

class Product {
 public:
  Product() {
    const auto model = model::test::make_tiny_model({});
    path_ = model::test::write_tiny_model({});
    asked_ = requests(model.vocabulary);
  }

  void run(const Combination& c) {
    std::vector<std::string> names{"red", "green", "blue"};
    names.resize(static_cast<std::size_t>(c.nodes));
    const int port = free_ports(c.nodes);
    const std::string node = "threads = " + std::to_string(c.threads) + "\nisa = \"" + c.isa + "\"\nkv_blocks = 4096";
    UpProcess cluster(cluster_toml(names, port, "tiny", "path = \"" + path_ + "\"", node,
                                   "[limits]\nstep_tokens_max = " + std::to_string(c.budget) + "\n[tenants.quiet]\n[tenants.loud]\n"),
                      names, port);
    BOOST_REQUIRE(cluster.wait_ready());
    auto quiet = client(cluster, "quiet");
    both(quiet, c, false);
    // Prefixes are a tenant's own: another one finds none.
    auto loud = client(cluster, "loud");
    auto crowd = begin_crowd(loud);
    both(loud, c, true);
    for (auto& stream : crowd) stream.cancel();
    for (auto& stream : crowd) {
      const auto done = stream.wait();
      // Cancelled, and not over by itself: it was there until the last of the answers.
      counts.crowded += done && done->choices[0].finish_reason == "cancelled" ? 1 : 0;
    }
  }

  Counts counts;

 private:
  static sdk::Client client(const UpProcess& cluster, const std::string& tenant) {
    sdk::ClientOptions options;
    options.endpoints = cluster.endpoints();
    options.tenant = tenant;
    auto made = sdk::Client::connect(options);
    if (!made) BOOST_FAIL("cannot connect: " << made.error().message << "\n" << cluster.log());
    return std::move(*made);
  }

  static std::vector<sdk::Stream> begin_crowd(sdk::Client& client) {
    std::vector<sdk::Stream> crowd;
    for (int i = 0; i < crowd_size; ++i) {
      sdk::Request request;
      for (int k = 0; k < 20 + i; ++k) request.prompt_tokens.push_back(5 + (i * 3 + k) % 40);
      request.max_tokens = 4000;
      request.ignore_eos = true;
      auto stream = client.stream(request);
      BOOST_REQUIRE(stream.ok());
      crowd.push_back(std::move(*stream));
    }
    for (auto& stream : crowd) BOOST_REQUIRE(stream.next().has_value());  // each of them decodes by now
    return crowd;
  }

  /// Each request until its prefix was found: where the replica that has it has no room, or has not told of it yet, it runs elsewhere.
  void both(sdk::Client& client, const Combination& c, bool crowded) {
    for (std::size_t i = 0; i < asked_.size(); ++i) {
      bool hit = false;
      for (int turn = 0; turn < turns_max && !hit; ++turn) {
        const auto done = client.complete(asked_[i]);
        const std::string where = std::to_string(c.nodes) + " nodes, " + c.isa + ", " + std::to_string(c.threads) + " threads, steps of " +
                                  std::to_string(c.budget) + (crowded ? ", in a crowd, turn " : ", turn ") + std::to_string(turn);
        BOOST_REQUIRE_MESSAGE(done.ok(), where << ": " << (done ? "" : done.error().message));
        ++counts.answers;
        ++counts.by_isa[done->isa];
        hit = done->usage.cached_tokens >= 512;
        counts.hits += hit ? 1 : 0;
        counts.misses += turn == 0 && done->usage.cached_tokens == 0 ? 1 : 0;
        auto& want = wanted_[i];
        const auto bits = all_bits(*done);
        if (want.empty()) want = bits;
        BOOST_TEST(bits == want, where << ": other bytes\n" << bits << "wanted\n" << want);
      }
    }
  }

  std::string path_;
  std::vector<sdk::Request> asked_;
  std::array<std::string, 2> wanted_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_combination_gives_the_same_bytes) {
  Product product;
  int combinations = 0;
  std::size_t sets = 0;
  for (const auto isa : {kernels::Isa::scalar, kernels::Isa::avx2, kernels::Isa::avx512}) {
    if (!kernels::isa_supported(isa)) continue;
    ++sets;
    for (const int nodes : {1, 3}) {
      for (const int threads : {1, 2}) {
        for (const int budget : {32, 2048}) {
          product.run({nodes, std::string(kernels::to_string(isa)), threads, budget});
          ++combinations;
        }
      }
    }
  }
  const auto& counts = product.counts;
  std::ostringstream by_isa;
  for (const auto& [isa, answers] : counts.by_isa) by_isa << ", " << isa << " " << answers;
  BOOST_TEST_MESSAGE("clusters " << combinations << ", answers " << counts.answers << by_isa.str() << "; with a prefix hit " << counts.hits
                                 << ", without " << counts.misses << "; of the crowds still there at the end " << counts.crowded << " of "
                                 << combinations * crowd_size);
  BOOST_TEST(combinations == static_cast<int>(sets) * 8);
  BOOST_TEST(counts.answers >= combinations * 8);
  BOOST_TEST(counts.hits == combinations * 4);
  BOOST_TEST(counts.misses == combinations * 4);
  BOOST_TEST(counts.by_isa.size() == sets);
  BOOST_TEST(counts.crowded == combinations * crowd_size);
}

}  // namespace spillway::tests
