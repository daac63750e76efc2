// Whole lives of the simulated cluster of tests/sched, with kills, moves, drains, lost packets and failing workers, logged by the
// same seam as in production and taken again.

#include <boost/test/unit_test.hpp>
#include <map>

#include "tests/decisions/memory_log.h"
#include "tests/sched/cluster_sim.h"

namespace spillway::decisions::test {

using sched::test::ClusterOptions;
using sched::test::ClusterSim;
using std::chrono::milliseconds;

namespace {

/// The logs of all lives of all nodes of one play.
struct Lives {
  std::vector<std::shared_ptr<MemoryLog>> logs;
  bool answers = false;

  void ask(ClusterOptions& options) {
    options.decision_log = [this](std::uint32_t) { return logs.emplace_back(std::make_shared<MemoryLog>(head_of_tests(answers))); };
  }
};

struct Sum {
  std::uint64_t lives = 0, decisions = 0, equal = 0, bytes = 0;
  std::map<std::string, std::uint64_t> events;
};

void replay_all(const Lives& lives, Sum& sum) {
  for (const auto& log : lives.logs) {
    const auto replayed = replay_bytes(log->finish(), [&](const Decision& decision, const Replayed&) { ++sum.events[decision.event]; });
    BOOST_REQUIRE_MESSAGE(replayed, (replayed ? "" : replayed.error().message));
    ++sum.lives;
    sum.decisions += replayed->decisions;
    sum.equal += replayed->equal;
    sum.bytes += log->bytes().size();
    if (const auto& first = replayed->first_difference) {
      BOOST_ERROR("decision " << first->decision.number << " of life " << sum.lives << ", " << first->decision.core << ", "
                              << first->decision.event << "\n  expected " << first->expected << "\n  came     " << first->came);
    }
  }
}

/// Streams that are moved, cancelled, killed with their nodes, cut off and preempted, as the seed says.
void play(std::uint64_t seed, Lives& lives, sched::test::ClusterCounts& counts) {
  ClusterOptions options;
  options.seed = seed;
  options.blocks = seed % 2 == 0 ? 400 : 110;  // or hardly enough: preemption, waiting, spilling
  options.loss_permille = seed % 3 == 0 ? 20 : 0;
  lives.ask(options);
  ClusterSim sim(options);
  for (int i = 0; i < 10; ++i) {
    ClusterSim::StreamSpec spec;
    spec.prompt = 16 + sim.random().below(300);
    spec.choices = 1 + sim.random().below(2);
    spec.tokens_max = 200;
    spec.router = sim.random().below(3);
    const std::size_t stream = sim.submit(spec);
    sim.at_tokens(stream, 10 + sim.random().below(80), [&sim, stream] {
      const std::uint32_t place = sim.place_of(stream);
      if (place == sim.nodes() || !sim.alive(sim.router_of(stream))) return;
      sim.ask_move(stream, (place + 1 + sim.random().below(2)) % 3, sim.router_of(stream));
      switch (sim.random().below(5)) {
        case 0: sim.kill(place, milliseconds(800)); break;
        case 1: sim.kill((place + 1) % 3, milliseconds(800)); break;
        case 2: sim.fail_worker(place, milliseconds(300)); break;
        case 3: sim.partition(place, (place + 1) % 3, milliseconds(400)); break;
        default: sim.ask_drain(place, core::DrainMode::begin, sim.router_of(stream)); break;
      }
      sim.after(milliseconds(1500), [&sim, place] { sim.ask_drain(place, core::DrainMode::resume, (place + 1) % 3); });
    });
    if (i == 3) sim.at_tokens(stream, 40, [&sim, stream] { sim.cancel(stream); });
    if (i == 6) sim.at_tokens(stream, 50, [&sim, stream] { sim.client_gone(stream); });
  }
  sim.ask_status(0);
  sim.play();
  counts += sim.counts;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(replay_cluster)

BOOST_AUTO_TEST_CASE(every_decision_of_whole_clusters_comes_out_equal) {
  Sum sum;
  sched::test::ClusterCounts counts;
  constexpr std::uint64_t seeds = 24;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Lives lives;
    lives.answers = seed % 4 == 0;
    play(seed, lives, counts);
    replay_all(lives, sum);
  }
  std::string events;
  for (const auto& [event, count] : sum.events) events += "\n  " + event + " " + std::to_string(count);
  BOOST_TEST_MESSAGE(sum.lives << " lives, " << sum.decisions << " decisions, " << sum.equal << " equal, " << sum.bytes << " bytes; "
                               << counts.kills << " kills (" << counts.kills_with_streams << " hit streams), " << counts.commits
                               << " moves, " << counts.restarts << " restarts" << events);
  BOOST_TEST(sum.equal == sum.decisions);
  BOOST_TEST(sum.decisions > 50000U);
  BOOST_TEST(sum.lives > 3 * seeds);
  BOOST_TEST(counts.kills_with_streams >= 10U);
  BOOST_TEST(counts.commits >= 10U);
  BOOST_TEST(counts.restarts >= 20U);
  for (const char* event : {"admit", "cancel", "client gone", "peer down", "worker failed", "plan step", "step done", "rows read",
                            "rows written", "set draining", "operator MoveRequest", "operator StatusRequest", "message PageFrame",
                            "message Handoff", "local event ExportFrozen", "envelope", "send Tokens"}) {
    BOOST_TEST(sum.events[event] > 0U, event << " was never logged");
  }
}

BOOST_AUTO_TEST_CASE(a_batcher_with_another_budget_parts_at_a_step_it_plans) {
  Lives lives;
  ClusterOptions options;
  lives.ask(options);
  ClusterSim sim(options);
  ClusterSim::StreamSpec spec;
  spec.prompt = 200;  // more than one step takes
  sim.submit(spec);
  sim.play();
  std::uint64_t parted = 0;
  for (const auto& log : lives.logs) {
    OpenLog other(log->finish());
    std::vector<std::string> events;
    BOOST_REQUIRE(replay_bytes(log->bytes(), [&](const Decision& d, const Replayed&) { events.push_back(d.core + " " + d.event); }));
    other.change_start<BatcherStart>([](auto& start) { start.limits.step_tokens_max += 1; });
    const auto replayed = replay_bytes(other.closed());
    BOOST_REQUIRE(replayed);
    if (!replayed->first_difference) continue;  // nothing ran here
    ++parted;
    const Decision& at = replayed->first_difference->decision;
    // The first step with work for more rows than the old budget: the first plan behind the Run.
    const auto run = std::find(events.begin(), events.end(), "batcher 0 message Run");
    const auto plan = std::find(run, events.end(), "batcher 0 plan step");
    BOOST_TEST(at.event == "plan step");
    BOOST_TEST(at.number == static_cast<std::uint64_t>(plan - events.begin()) + 1);
  }
  BOOST_TEST(parted == 1U);
}

BOOST_AUTO_TEST_CASE(damaged_pages_are_damaged_again) {
  // Pages whose bytes do not fit their checksum, in one piece and in several.
  for (const std::uint32_t pieces : {1U, 2U}) {
    const auto log = std::make_shared<MemoryLog>(head_of_tests(true));
    const CacheStart start{core::node_id("red"), {7}, {}};
    sched::CacheCore cache_core = start.make();
    const auto recorder = record<sched::CacheCore>(log, start);
    sched::CacheCore::Actions out;
    const auto take = [&]<class Call>(std::type_identity<Call>, const auto&... arguments) {
      out.clear();
      decisions::take<Call>(recorder, cache_core, Instant{std::chrono::seconds(1)}, out, arguments...);
    };
    core::ReplicaInfo info;
    info.page_bytes = 64;
    info.row_bytes = 4;
    info.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
    info.blocks = 10;
    info.context_max = 64;
    info.features = core::known_features;
    take(std::type_identity<cache::SetReplica>{}, std::uint32_t{0}, info);
    core::Offer offer;
    offer.transfer = {3};
    offer.source = {core::node_id("blue"), 0};
    offer.destination = {core::node_id("red"), 0};
    offer.page_bytes = info.page_bytes;
    offer.blocks.push_back({0, {}, 0, 16});
    take(std::type_identity<cache::Message>{}, core::Message(offer));
    sched::ImportReserved reserved{{3}, true, core::Errc::ok, {}, {{0, 5, false}}};
    take(std::type_identity<cache::Local>{}, cache::Local::Event(reserved));
    core::PageFrame frame;
    frame.transfer = {3};
    frame.header.rows = 16;
    frame.header.checksum = 12345;
    frame.payload_bytes = 64;
    frame.data = core::share(core::ByteVector(64, std::byte{1}));
    frame.data_bytes = 64 / pieces;
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      frame.offset = frame.data_offset = piece * frame.data_bytes;
      take(std::type_identity<cache::Message>{}, core::Message(frame));
    }
    BOOST_REQUIRE(out.size() == 1U);
    BOOST_REQUIRE(std::holds_alternative<sched::CacheCore::Post>(out[0]));
    BOOST_TEST(std::holds_alternative<core::MissingPages>(*std::get<sched::CacheCore::Post>(out[0]).message));
    // And whole ones, which then come.
    frame.header.checksum = core::checksum64(*frame.data);
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      frame.offset = frame.data_offset = piece * frame.data_bytes;
      take(std::type_identity<cache::Message>{}, core::Message(frame));
    }
    BOOST_REQUIRE(out.size() == 1U);
    BOOST_TEST(std::holds_alternative<sched::CacheCore::WriteRows>(out[0]));
    const auto replayed = replay_bytes(log->finish());
    BOOST_REQUIRE_MESSAGE(replayed, (replayed ? "" : replayed.error().message));
    BOOST_TEST(replayed->decisions == 3 + 2 * pieces);
    BOOST_TEST(replayed->equal == replayed->decisions);
    if (replayed->first_difference) BOOST_ERROR(replayed->first_difference->expected + " / " + replayed->first_difference->came);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions::test
