// Moves and deaths with the real actors in virtual time: every stream keeps its bytes, and every claim is counted.

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <optional>

#include "tests/actors/virtual_cluster.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Everything here runs on one thread, so the sanitizers, which are slow, get a fifth of it.
int seeds(int short_count, int long_count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  if (short_count >= 10) return short_count / 5;
#endif
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string(value) == "1" ? long_count : short_count;
}

/// The three kinds of request: greedy, sampled with three choices, with a stop string.
core::Submit request(int kind, std::uint32_t prompt_tokens = 40) {
  core::Submit submit;
  submit.request = {{7, static_cast<std::uint64_t>(kind) + 1}};
  submit.kind = core::PromptKind::tokens;
  for (std::uint32_t i = 0; i < prompt_tokens; ++i) submit.tokens.push_back(static_cast<core::TokenId>(300 + i * 7 % 1000));
  submit.tokens_max = 64;
  submit.ignore_eos = true;
  if (kind == 1) {
    submit.choices = 3;
    submit.sampling.temperature = 0.8F;
    submit.sampling.seed = 99;
    submit.sampling.typical_p = 0.9F;
    submit.sampling.repetition_penalty = 1.1F;
    submit.sampling.logit_bias = {{300, -1.0F}};
    submit.sampling.dry = {0.8F, 1.75F, 2, 64, {"\n"}};
    submit.seed_set = true;
  }
  if (kind == 2) submit.stop = {"never to be written by anybody"};
  return submit;
}

Answer undisturbed(const core::Submit& submit) {
  VirtualCluster cluster(VirtualOptions{});
  Answer answer;
  const auto connection = cluster.ask(0, submit, answer);
  BOOST_REQUIRE(cluster.run_until([&] { return answer.done; }, seconds(30)));
  BOOST_REQUIRE(answer.failure.empty());
  return answer;
}

/// A stop string that the undisturbed text does hold, some way in.
core::Submit with_real_stop(core::Submit submit) {
  const auto text = undisturbed(submit).texts[0];
  submit.stop = {text.substr(text.size() * 3 / 4, 9)};
  return submit;
}

struct Counts {
  int streams = 0;
  int asked = 0;  // moves asked for while enough of the answer was to come
  int committed = 0;
  std::array<int, 4> committed_by_kind{};
  int imports = 0;  // committed moves whose destination told how many blocks it took over
  int wrong = 0;
  int bad_figures = 0;
  int long_copies = 0;
  int long_copies_without_steps = 0;
};

std::size_t made(const Answer& answer) {
  return answer.tokens.empty() ? 0 : answer.tokens.begin()->second.size();
}

/// What the network saw of a move. An owner that is the destination itself tells nobody what it imported.
struct Seen {
  std::optional<std::uint32_t> blocks_imported;
  std::uint64_t page_bytes = 0;
  void operator()(const core::Envelope& envelope) {
    if (envelope.kind != core::EnvelopeKind::data) return;
    if (const auto* accepted = std::get_if<core::RunAccepted>(envelope.message.get()); accepted != nullptr && accepted->imported) {
      blocks_imported = accepted->blocks_imported;
    }
    if (const auto* page = std::get_if<core::PageFrame>(envelope.message.get()); page != nullptr && page->whole_page) {
      page_bytes += page->data_bytes;
    }
  }
};

/// The figures of a committed move, as its source, its destination, its owner and the network have them.
bool right_figures(const core::MoveOutcome& move, const Seen& seen, std::uint32_t choices, bool clean) {
  const auto& report = move.report;
  return move.rows_recomputed <= 2 * choices && report.rows_after_freeze <= 2 * choices && report.blocks_sent == report.blocks &&
         report.page_bytes == report.blocks * VirtualCluster::page_bytes &&
         (!seen.blocks_imported || *seen.blocks_imported == report.blocks) && (!clean || seen.page_bytes == report.page_bytes);
}

/// One stream that is moved once `position` tokens are there.
void moved_once(std::uint64_t seed, std::size_t kind, const core::Submit& submit, const Answer& want, const net::LinkFaults& faults,
                Counts& counts) {
  VirtualOptions options;
  options.seed = seed;
  options.faults = faults;
  options.bulk_bytes_per_second = 10'000'000;
  VirtualCluster cluster(options);
  Seen seen;
  cluster.network().set_observer([&seen](core::Instant, const core::Envelope& envelope) { seen(envelope); });
  std::mt19937_64 random(seed * 31);
  const std::size_t position = 1 + random() % 60;
  const int owner = static_cast<int>(random() % 3);
  Answer answer;
  core::OperationUpdate moved;
  const auto connection = cluster.ask(owner, submit, answer, [&](const core::ClientMessage& message) {
    if (const auto* update = std::get_if<core::OperationUpdate>(&message)) moved = *update;
  });
  BOOST_REQUIRE_MESSAGE(cluster.run_until([&] { return answer.done || made(answer) >= position; }, seconds(30)), "seed " << seed);
  const auto status = cluster.status(owner);
  std::string destination;
  if (!status.streams.empty()) {
    for (const auto& node : status.nodes) {
      if (core::node_id(node.name) != status.streams[0].node) destination = node.name;
    }
  }
  const bool early = !answer.done && !destination.empty() && made(answer) + 14 <= made(want);
  if (!destination.empty()) connection->send(core::MoveRequest{5, submit.request, destination});
  const bool ended = cluster.run_until([&] { return answer.done && (moved.done || destination.empty()); }, seconds(60));
  ++counts.streams;
  counts.asked += early;
  if (!ended || !(answer == want) || answer.out_of_order > 0) {
    ++counts.wrong;
    BOOST_TEST_MESSAGE("seed " << seed << ", position " << position << ": " << (ended ? "other bytes than undisturbed " : "did not end ")
                               << answer.failure);
  }
  if (!moved.move.committed) return;
  counts.committed += early;
  counts.committed_by_kind[kind] += early;
  counts.imports += seen.blocks_imported.has_value();
  const auto& report = moved.move.report;
  const bool right = right_figures(moved.move, seen, submit.choices, faults.loss_ppm == 0);
  if (!right) {
    ++counts.bad_figures;
    BOOST_TEST_MESSAGE("seed " << seed << ": blocks " << report.blocks << ", sent " << report.blocks_sent << ", bytes " << report.page_bytes
                               << ", imported " << seen.blocks_imported.value_or(0) << ", bytes on the wire " << seen.page_bytes
                               << ", rows recomputed " << moved.move.rows_recomputed << ", after the freeze " << report.rows_after_freeze);
  }
  if (report.blocks > 64) {
    ++counts.long_copies;
    counts.long_copies_without_steps += report.steps_during_copy == 0;
  }
}

void say(const char* what, const Counts& counts) {
  BOOST_TEST_MESSAGE(what << ": streams " << counts.streams << ", moves asked for in time " << counts.asked << ", committed "
                          << counts.committed << ", other bytes " << counts.wrong << ", wrong figures " << counts.bad_figures
                          << ", copies of more than 64 blocks " << counts.long_copies << "; committed greedy "
                          << counts.committed_by_kind[0] << ", n = 3 " << counts.committed_by_kind[1] << ", stop string "
                          << counts.committed_by_kind[2] << ", long " << counts.committed_by_kind[3] << "; destinations heard "
                          << counts.imports);
  BOOST_TEST(counts.wrong == 0);
  BOOST_TEST(counts.bad_figures == 0);
  BOOST_TEST(counts.long_copies_without_steps == 0);
  BOOST_TEST(counts.imports >= counts.committed / 3);
  for (std::size_t kind = 0; kind < 3; ++kind) BOOST_TEST(counts.committed_by_kind[kind] >= counts.streams / 10);
}

struct Kinds {
  std::vector<core::Submit> submits{request(0), request(1), with_real_stop(request(2)), request(0, 1100)};
  std::vector<Answer> wants;
  Kinds() {
    for (const auto& submit : submits) wants.push_back(undisturbed(submit));
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_run) {
  const auto once = [] {
    VirtualOptions options;
    options.seed = 5;
    options.faults.loss_ppm = 50000;
    VirtualCluster cluster(options);
    Answer answer;
    const auto connection = cluster.ask(1, request(0), answer);
    BOOST_REQUIRE(cluster.run_until([&] { return answer.done; }, seconds(30)));
    return std::pair(cluster.elapsed(), cluster.network().counters().delivered);
  };
  const auto first = once();
  BOOST_TEST((first == once()));
}

BOOST_AUTO_TEST_CASE(moves_on_a_clean_network_all_commit) {
  const Kinds kinds;
  Counts counts;
  for (int seed = 1; seed <= seeds(200, 2000); ++seed) {
    const auto kind = static_cast<std::size_t>(seed % 4);
    moved_once(static_cast<std::uint64_t>(seed), kind, kinds.submits[kind], kinds.wants[kind], net::LinkFaults{}, counts);
  }
  say("clean network", counts);
  BOOST_TEST(counts.asked >= counts.streams / 2);
  BOOST_TEST(counts.committed == counts.asked);
  BOOST_TEST(counts.long_copies >= counts.streams / 10);
}

BOOST_AUTO_TEST_CASE(moves_at_five_percent_loss_nearly_all_commit) {
  const Kinds kinds;
  net::LinkFaults faults;
  faults.loss_ppm = 50000;
  faults.duplicate_ppm = 20000;
  faults.reorder_ppm = 20000;
  Counts counts;
  for (int seed = 1; seed <= seeds(200, 2000); ++seed) {
    const auto kind = static_cast<std::size_t>(seed % 3);
    moved_once(static_cast<std::uint64_t>(seed) + 5000, kind, kinds.submits[kind], kinds.wants[kind], faults, counts);
  }
  say("5 % loss", counts);
  BOOST_TEST(counts.asked >= counts.streams / 2);
  // 95 of 100; of few moves a single one says nothing.
  BOOST_TEST(counts.asked - counts.committed <= std::max(2, counts.asked / 20));
}

BOOST_AUTO_TEST_CASE(streams_of_a_crashed_node_go_on_elsewhere) {
  const Kinds kinds;
  int hit = 0, wrong = 0, restarted = 0;
  for (int seed = 1; seed <= seeds(30, 300); ++seed) {
    VirtualOptions options;
    options.seed = static_cast<std::uint64_t>(seed) + 9000;
    VirtualCluster cluster(options);
    std::mt19937_64 random(options.seed);
    const auto kind = static_cast<std::size_t>(seed % 3);
    Answer answer;
    const auto connection = cluster.ask(0, kinds.submits[kind], answer);
    const std::size_t position = 1 + random() % 40;
    BOOST_REQUIRE(cluster.run_until([&] { return answer.done || made(answer) >= position; }, seconds(30)));
    const auto status = cluster.status(0);
    int victim = -1;
    for (int i = 1; i < 3; ++i) {
      if (!status.streams.empty() && status.streams[0].node == cluster.node(i)) victim = i;
    }
    if (victim > 0) {
      ++hit;
      cluster.crash(victim);
      if (seed % 2 == 0) cluster.restart(victim);
    }
    const bool ended = cluster.run_until([&] { return answer.done; }, seconds(60));
    restarted += static_cast<int>(answer.finished.restarts);
    if (!ended || !(answer == kinds.wants[kind])) {
      ++wrong;
      BOOST_TEST_MESSAGE("seed " << seed << ": " << (ended ? "other bytes than undisturbed " : "did not end ") << answer.failure);
    }
  }
  BOOST_TEST_MESSAGE("crashes that hit the stream " << hit << ", restarts " << restarted << ", other bytes " << wrong);
  BOOST_TEST(wrong == 0);
  BOOST_TEST(hit >= seeds(10, 100));
  BOOST_TEST(restarted >= hit);
}

}  // namespace spillway::tests
