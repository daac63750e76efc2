#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "tests/sched/cluster_sim.h"

/// Each message of the protocol lost, repeated, delayed past its lease, and replayed from an old epoch or incarnation, above links
/// that would have saved it: the text stays right, every stream ends and nothing is left behind.
namespace spillway::sched::test {

namespace bdata = boost::unit_test::data;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Fault { lost, repeated, delayed, replayed };
const char* const fault_names[] = {"lost", "repeated", "delayed past its lease", "replayed from an old epoch and incarnation"};

/// A play in which every type of message is sent: starts, moves there and back, moves that fail and are asked about, a drain, a
/// cancel, a worker and a node that die.
class FaultPlay {
 public:
  FaultPlay(std::size_t type, Fault fault, std::uint64_t seed) : type_(type), fault_(fault), sim_(options(type, seed)) {
    sim_.replay_line =
        std::string(core::traits(type)->name) + " " + fault_names[static_cast<int>(fault)] + ", seed " + std::to_string(seed);
    sim_.fate = [this](std::uint32_t from, std::uint32_t to, const core::Message& message) { return fate(from, to, message); };
    for (std::uint32_t i = 0; i < 9; ++i) submit(i);
    sim_.after(milliseconds(900), [this] { drain_ = sim_.ask_drain(2, core::DrainMode::begin, 0); });
    sim_.after(milliseconds(1000), [this] { status_ = sim_.ask_status(1); });
    sim_.after(milliseconds(1600), [this] { sim_.ask_drain(2, core::DrainMode::resume, 0); });
    sim_.after(milliseconds(1900), [this] { sim_.fail_worker(1, milliseconds(300)); });
    sim_.after(milliseconds(2300), [this] { sim_.kill(0, milliseconds(400)); });
    sim_.after(milliseconds(3300), [this] {
      for (std::uint32_t i = 9; i < 12; ++i) submit(i);
    });
  }

  ClusterSim& play() {
    sim_.run_for(milliseconds(6500));  // all of the plot
    sim_.play(seconds(200));
    if (sim_.statuses.empty()) sim_.fail("no status came");
    return sim_;
  }
  std::uint64_t faults() const { return faults_; }
  std::uint64_t seen() const { return seen_; }

 private:
  static ClusterOptions options(std::size_t type, std::uint64_t seed) {
    ClusterOptions options;
    // A bucket with enough for all, at a router that the others must ask.
    const std::string_view name = core::traits(type)->name;
    if (name == "QuotaAsk" || name == "QuotaReply") options.router.tenants[core::tenant_id("tests")].bucket = {1'000'000, 1'000'000};
    // A pool that does not last, so that streams are held.
    if (name == "RunHeld") options.blocks = 110, options.batcher.hold_max = milliseconds(100);
    options.seed = seed;
    options.step_base = milliseconds(8);
    options.row_copy = std::chrono::microseconds(300);
    options.sequences_max = 8;
    options.batcher.queue_max = 1;
    options.cache.export_max = seconds(6);  // so that what nobody answers is over within the play
    options.router.move_max = seconds(6);
    return options;
  }

  void submit(std::uint32_t i) {
    ClusterSim::StreamSpec spec;
    spec.prompt = 30 + sim_.random().below(300);
    spec.choices = 1 + i % 3;
    spec.tokens_max = 160 + 20 * i;
    spec.ignore_eos = i % 4 != 0;
    spec.router = i % 3;
    if (i % 2 == 1) spec.adapter = i % 4 == 1 ? "a" : "b";
    const std::size_t stream = sim_.submit(spec);
    sim_.at_tokens(stream, 5 + sim_.random().below(30), [this, stream] {
      const std::uint32_t place = sim_.place_of(stream);
      if (sim_.over(stream) || place == sim_.nodes()) return;
      sim_.ask_move(stream, (place + 1) % 3, stream % 2 == 0 ? sim_.router_of(stream) : (sim_.router_of(stream) + 1) % 3);
    });
    sim_.at_tokens(stream, 70, [this, stream] {
      const std::uint32_t place = sim_.place_of(stream);
      if (sim_.over(stream) || place == sim_.nodes()) return;
      sim_.ask_move(stream, (place + 2) % 3, sim_.router_of(stream));
    });
    if (i == 4) sim_.at_tokens(stream, 60, [this, stream] { sim_.cancel(stream); });
    if (i == 7) sim_.at_tokens(stream, 50, [this, stream] { sim_.client_gone(stream); });
  }

  /// What goes wrong in every play, so that the rarer messages are needed.
  bool background(std::uint32_t to, const core::Message& message) {
    if (const auto* handoff = std::get_if<core::Handoff>(&message)) {
      if (handoffs_.size() < 2) handoffs_.insert(handoff->transfer);
      return handoffs_.contains(handoff->transfer);  // frozen for nothing: it asks the owner
    }
    if (const auto* release = std::get_if<core::Release>(&message)) {
      if (!unreleased_ && to == 2) unreleased_ = release->new_epoch;  // in the end it is told that the stream is gone
      return unreleased_ == release->new_epoch;
    }
    return std::holds_alternative<core::PageFrame>(message) && sim_.random().one_in(8);
  }

  Fate fate(std::uint32_t, std::uint32_t to, const core::Message& message) {
    Fate f;
    if (message.index() == type_) {
      ++seen_;
      // The first ones surely, then every other one for a while: a protocol that never gets a word through cannot end well.
      if (faults_ < 4 || (faults_ < 200 && sim_.random().one_in(2))) {
        ++faults_;
        switch (fault_) {
          case Fault::lost: f.lost = true; return f;
          case Fault::repeated: f.copies = {core::Duration{0}, core::Duration{0}, milliseconds(30)}; break;
          case Fault::delayed: f.copies = {milliseconds(2500)}; return f;
          case Fault::replayed: f.copies = {core::Duration{0}, milliseconds(700), milliseconds(2600), seconds(5)}; break;
        }
      }
    }
    if (background(to, message)) f.lost = true;
    return f;
  }

  std::size_t type_;
  Fault fault_;
  ClusterSim sim_;
  std::set<TransferId> handoffs_;
  std::optional<Epoch> unreleased_;
  std::uint64_t drain_ = 0;
  std::uint64_t status_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t seen_ = 0;
};

std::uint64_t seeds() {
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1" ? 20 : 2;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_faults_test)

BOOST_DATA_TEST_CASE(each_message, bdata::xrange(core::message_types) * bdata::xrange(4), type, fault) {
  std::uint64_t faults = 0;
  std::uint64_t commits = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    FaultPlay play(type, static_cast<Fault>(fault), seed);
    const ClusterSim& sim = play.play();
    faults += play.faults();
    commits += sim.counts.commits;
    BOOST_TEST(sim.counts.finished == sim.counts.streams);
  }
  std::cout << core::traits(type)->name << " " << fault_names[fault] << ": " << faults << " times, " << commits << " commits\n";
  BOOST_TEST(faults > 0U);
  BOOST_TEST(commits > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
