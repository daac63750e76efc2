// Moves on real processes with a real model: every stream ends with the bytes of an undisturbed run.

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <optional>
#include <semaphore>
#include <set>
#include <sstream>
#include <thread>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

constexpr std::uint32_t answer_tokens = 64;
constexpr std::uint32_t page_bytes = 368640;  // SmolLM2-135M, raw16: 16 tokens x 30 layers x 2 x 192 values x 2 bytes

struct Outcome {
  std::vector<std::vector<std::int32_t>> tokens;
  std::vector<std::string> texts;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome(const sdk::Completion& done) {
  Outcome made;
  for (const auto& choice : done.choices) {
    made.tokens.emplace_back();
    for (const auto& token : choice.tokens) made.tokens.back().push_back(token.id);
    made.texts.push_back(choice.text + "|" + choice.finish_reason);
  }
  return made;
}

struct Counts {
  std::atomic<int> committed{0};
  std::atomic<int> refused{0};
  std::atomic<int> early{0};            // moves away, asked while the stream had at least `tokens_to_go` tokens to go
  std::atomic<int> early_committed{0};  // of these
  std::atomic<int> wrong{0};
  std::atomic<int> bad_figures{0};
  std::atomic<std::int64_t> pause_us{0};

  /// Threads may not print: what they have to say is kept until they have ended.
  void note(std::string text) {
    const std::lock_guard lock(mutex);
    notes.push_back(std::move(text));
  }
  std::mutex mutex;
  std::vector<std::string> notes;
};

constexpr std::uint32_t tokens_to_go = 24;
constexpr std::uint32_t block_tokens = 16;
constexpr std::uint32_t choices_max = 3;

/// Tokens of each choice as they arrive.
struct Seen {
  std::array<std::atomic<std::uint32_t>, choices_max> tokens{};

  std::uint32_t least(std::uint32_t choices) const { return *std::min_element(tokens.begin(), tokens.begin() + choices); }
  std::uint32_t most(std::uint32_t choices) const { return *std::max_element(tokens.begin(), tokens.begin() + choices); }
};

/// A stream to be moved there and back.
struct Trip {
  sdk::Client& client;
  const sdk::Request& request;
  std::uint32_t position = 0;  // tokens of its first choice before it goes
  std::uint32_t length = 0;    // tokens of the undisturbed answer
  bool fresh = false;          // nobody has run it before, so no block of it can be at the destination already
  Counts& counts;
};

/// A committed move, with the tokens that had arrived before it was asked and after it was answered.
struct Carried {
  sdk::MoveResult figures;
  std::uint32_t before = 0;
  std::uint32_t after = 0;
  bool fresh = false;
};

/// Carries the stream to `node`; nothing when it was not committed.
std::optional<Carried> carry(const Trip& trip, const std::string& id, const std::string& node, bool fresh, const Seen& seen) {
  Carried made;
  made.before = seen.least(trip.request.n);
  made.fresh = fresh;
  const auto moved = trip.client.move(id, node, std::chrono::seconds(60));
  made.after = seen.most(trip.request.n);
  if (!moved) {
    ++trip.counts.refused;
    if (made.before + tokens_to_go <= trip.length) {
      trip.counts.note("position " + std::to_string(trip.position) + ": not moved at token " + std::to_string(made.before) + ": " +
                       moved.error().message);
    }
    return std::nullopt;
  }
  ++trip.counts.committed;
  trip.counts.pause_us += std::chrono::duration_cast<std::chrono::microseconds>(moved->pause).count();
  made.figures = *moved;
  return made;
}

/// Blocks of choices that have `rows` rows each behind one prompt; what two of them have in common from the first token on may
/// be held once.
std::uint32_t blocks_least(const Outcome& answer, std::uint32_t prompt, std::uint32_t rows) {
  std::set<std::pair<std::uint32_t, std::vector<std::int32_t>>> blocks;
  for (const auto& tokens : answer.tokens) {
    for (std::uint32_t first = 0; first < rows; first += block_tokens) {
      const auto end = std::max(std::min(first + block_tokens, rows), prompt) - prompt;
      blocks.emplace(first, std::vector<std::int32_t>(tokens.begin(), tokens.begin() + std::min<std::ptrdiff_t>(end, std::ssize(tokens))));
    }
  }
  return static_cast<std::uint32_t>(blocks.size());
}

/// The same where only the full blocks of the prompt are held once.
std::uint32_t blocks_most(std::uint32_t prompt, std::uint32_t rows, std::uint32_t choices) {
  const std::uint32_t shared = prompt / block_tokens;
  return shared + choices * ((rows + block_tokens - 1) / block_tokens - shared);
}

/// Holds what a move reports to what it may cost.
void check_figures(const Carried& move, const Outcome& answer, std::uint32_t prompt, Counts& counts) {
  const auto& figures = move.figures;
  const auto choices = static_cast<std::uint32_t>(answer.tokens.size());
  // The last token has no row yet. The answer comes after the first token from the destination.
  const std::uint32_t least = blocks_least(answer, prompt, prompt + std::max(move.before, 1U) - 1);
  const std::uint32_t most = blocks_most(prompt, prompt + move.after, choices);
  const bool right = figures.blocks > 0 && figures.blocks >= least && figures.blocks <= most && figures.rows_recomputed >= 1 &&
                     figures.rows_recomputed <= 2 * choices && figures.rows_after_freeze <= 2 * choices &&
                     figures.bytes == std::uint64_t{figures.blocks_sent} * page_bytes && figures.blocks_sent <= figures.blocks &&
                     (!move.fresh || figures.blocks_sent == figures.blocks);
  if (right) return;
  ++counts.bad_figures;
  std::ostringstream text;
  text << "figures of a move between tokens " << move.before << " and " << move.after << " behind a prompt of " << prompt << ": blocks "
       << figures.blocks << " (want " << least << " to " << most << "), sent " << figures.blocks_sent << (move.fresh ? " (want all)" : "")
       << ", bytes " << figures.bytes << ", rows recomputed " << figures.rows_recomputed << ", after the freeze "
       << figures.rows_after_freeze;
  counts.note(text.str());
}

std::string node_of(sdk::Client& client, const std::string& request) {
  const auto status = client.status();
  if (!status) return "";
  for (const auto& stream : status->streams) {
    if (stream.request_id == request) return stream.node;
  }
  return "";
}

std::vector<Carried> there_and_back(const Trip& trip, const std::string& id, const Seen& seen) {
  const std::string source = node_of(trip.client, id);
  const std::vector<std::string> names{"red", "green", "blue"};
  const auto at = std::find(names.begin(), names.end(), source);
  if (at == names.end()) return {};
  const std::string& other = names[(static_cast<std::size_t>(at - names.begin()) + 1 + trip.position % 2) % names.size()];
  const bool early = seen.most(trip.request.n) + tokens_to_go <= trip.length;
  trip.counts.early += early ? 1 : 0;
  std::vector<Carried> made;
  auto there = carry(trip, id, other, trip.fresh, seen);
  if (!there) return made;
  trip.counts.early_committed += early ? 1 : 0;
  made.push_back(std::move(*there));
  if (auto back = carry(trip, id, source, false, seen)) made.push_back(std::move(*back));
  return made;
}

/// Runs the request and moves it.
Outcome disturbed(const Trip& trip) {
  std::binary_semaphore reached(0);
  std::atomic<bool> told{false};
  Seen seen;
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&](const sdk::Chunk& chunk) {
    const auto now = seen.tokens.at(chunk.choice) += static_cast<std::uint32_t>(chunk.tokens.size());
    if (chunk.choice == 0 && now >= trip.position && !told.exchange(true)) reached.release();
  };
  callbacks.on_end = [&](const sdk::Result<sdk::Completion>&) {
    if (!told.exchange(true)) reached.release();
  };
  auto stream = trip.client.stream(trip.request, callbacks);
  if (!stream) {
    trip.counts.note("position " + std::to_string(trip.position) + ": " + stream.error().message);
    return {};
  }
  reached.acquire();
  const auto moves = there_and_back(trip, stream->request_id(), seen);
  const auto done = stream->wait();
  if (!done) {
    trip.counts.note("position " + std::to_string(trip.position) + ": " + done.error().message);
    return {};
  }
  auto answer = outcome(*done);
  for (const auto& move : moves) check_figures(move, answer, done->usage.prompt_tokens, trip.counts);
  return answer;
}

void compare(int position, const Outcome& got, const Outcome& want, Counts& counts) {
  if (!want.tokens.empty() && got == want) return;
  ++counts.wrong;
  counts.note("position " + std::to_string(position) + ": other bytes than undisturbed");
}

/// All positions, `width` streams at a time.
template <class Body>
void for_positions(int last, int step, int width, const Body& body) {
  std::atomic<int> next{1};
  std::vector<std::thread> threads;
  for (int i = 0; i < width; ++i) {
    threads.emplace_back([&] {
      for (int position = next.fetch_add(step); position <= last; position = next.fetch_add(step)) body(position);
    });
  }
  for (auto& thread : threads) thread.join();
}

struct Fixture {
  std::vector<std::string> names{"red", "green", "blue"};
  int port = free_ports(3);
  UpProcess cluster{cluster_toml(names, port, "smollm2-135m", "path = \"" + default_model() + "\"", "threads = 1", ""), names, port};
  Fixture() { BOOST_REQUIRE(cluster.wait_ready()); }
};

/// What must hold of all three sets. Late positions may find the stream at its end, so only those with enough to go must commit.
void report(const char* what, const Counts& counts, int streams) {
  for (const auto& text : counts.notes) BOOST_TEST_MESSAGE(text);
  BOOST_TEST_MESSAGE(what << ": streams " << streams << ", commits " << counts.committed << ", not committed " << counts.refused
                          << "; asked with " << tokens_to_go << " tokens or more to go " << counts.early << ", of these committed "
                          << counts.early_committed << "; mean pause "
                          << (counts.committed > 0 ? static_cast<double>(counts.pause_us) / counts.committed / 1000.0 : 0.0) << " ms");
  BOOST_TEST(counts.wrong == 0);
  BOOST_TEST(counts.bad_figures == 0);
  BOOST_TEST(counts.early >= 30);
  BOOST_TEST(counts.early_committed == counts.early);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(move, Fixture)

BOOST_AUTO_TEST_CASE(greedy_streams_keep_their_bytes_at_every_position) {
  auto client = cluster.client();
  const auto request = [&](int position) {
    sdk::Request made;
    // A prompt of its own, so that no block is at the destination already.
    made.prompt = "Report " + std::to_string(position * 7919) + " from the stadium: the home side";
    made.max_tokens = answer_tokens;
    made.ignore_eos = true;
    return made;
  };
  constexpr int last = 60;
  std::vector<Outcome> got(last + 1);
  Counts counts;
  for_positions(last, 1, 5, [&](int position) {
    const auto asked = request(position);
    got[static_cast<std::size_t>(position)] = disturbed({client, asked, static_cast<std::uint32_t>(position), answer_tokens, true, counts});
  });
  for_positions(last, 1, 8, [&](int position) {
    const auto done = client.complete(request(position));
    compare(position, got[static_cast<std::size_t>(position)], done ? outcome(*done) : Outcome{}, counts);
  });
  report("greedy", counts, last);
}

BOOST_AUTO_TEST_CASE(sampled_forks_keep_their_bytes_at_every_position) {
  auto client = cluster.client(1);
  sdk::Request request;
  request.prompt = "Breaking news from the harbour this morning:";
  request.max_tokens = answer_tokens;
  request.ignore_eos = true;
  request.n = 3;
  request.temperature = 0.9F;
  request.top_p = 0.95F;
  request.typical_p = 0.95F;
  request.repetition_penalty = 1.1F;
  request.presence_penalty = 0.2F;
  request.frequency_penalty = 0.1F;
  request.logit_bias = {{260, 1.0F}, {28, -1.0F}};
  request.min_tokens = 8;
  request.dry_multiplier = 0.8F;
  request.seed = 20240717;
  const auto undisturbed = client.complete(request);
  BOOST_REQUIRE(undisturbed.ok());
  const auto want = outcome(*undisturbed);
  BOOST_TEST(want.tokens[0] != want.tokens[1]);
  const auto length = static_cast<std::uint32_t>(want.tokens[0].size());
  Counts counts;
  for_positions(60, 1, 4, [&](int position) {
    compare(position, disturbed({client, request, static_cast<std::uint32_t>(position), length, false, counts}), want, counts);
  });
  report("sampled, n = 3", counts, 60);
}

BOOST_AUTO_TEST_CASE(streams_with_a_stop_string_end_where_they_would) {
  auto client = cluster.client(2);
  sdk::Request request;
  request.prompt = "List twenty animals, one a line, with a full stop behind each:\n1. dog.\n2. cat.\n3.";
  request.max_tokens = answer_tokens;
  request.stop = {"\n14."};
  const auto undisturbed = client.complete(request);
  BOOST_REQUIRE(undisturbed.ok());
  const auto want = outcome(*undisturbed);
  BOOST_TEST(undisturbed->choices[0].finish_reason == "stop");
  const auto length = static_cast<std::uint32_t>(want.tokens[0].size());
  BOOST_TEST_MESSAGE("the undisturbed answer has " << length << " tokens and ends by " << undisturbed->choices[0].finish_reason);
  Counts counts;
  for_positions(60, 1, 5, [&](int position) {
    compare(position, disturbed({client, request, static_cast<std::uint32_t>(position), length, false, counts}), want, counts);
  });
  report("stop string", counts, 60);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
