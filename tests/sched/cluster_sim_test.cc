#include "tests/sched/cluster_sim.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <string_view>

namespace spillway::sched::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Seeds of a case: `quick` of them, ten times as many in the long run, a fifth under the slow sanitizers.
std::uint64_t seeds_of(std::uint64_t quick) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::max<std::uint64_t>(quick / 5, 1);
#else
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1" ? quick * 10 : quick;
#endif
}

/// Plays the seeds of a case, or the one of SPILLWAY_TEST_SEED.
template <class Play>
ClusterCounts for_seeds(const char* name, std::uint64_t quick, const Play& play) {
  ClusterCounts sum;
  std::uint64_t first = 1;
  std::uint64_t last = seeds_of(quick);
  if (const char* one = std::getenv("SPILLWAY_TEST_SEED")) first = last = std::strtoull(one, nullptr, 10);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    sum += play(seed, "SPILLWAY_TEST_SEED=" + std::to_string(seed) + " sched_test --run_test=cluster_sim_test/" + name);
  }
  std::cout << name << ": " << last - first + 1 << " seeds, " << sum.streams << " streams, " << sum.tokens << " tokens, " << sum.commits
            << " commits, " << sum.aborts << " aborts, " << sum.restarts << " restarts, " << sum.kills << " kills ("
            << sum.kills_with_streams << " hit streams, " << sum.kills_with_moves << " moves: " << sum.kills_of_source << " source, "
            << sum.kills_of_destination << " destination, " << sum.kills_of_owner << " owner), " << sum.resubmitted << " submitted again, "
            << sum.blocks_carried << " blocks, " << sum.events << " events\n";
  return sum;
}

bool one_seed() {
  return std::getenv("SPILLWAY_TEST_SEED") != nullptr;
}

struct MoveSet {
  const char* name;
  ClusterSim::StreamSpec spec;
};

std::vector<MoveSet> move_sets() {
  std::vector<MoveSet> sets(3);
  sets[0] = {"greedy", {}};
  sets[1] = {"three choices", {}};
  sets[1].spec.choices = 3;
  sets[1].spec.temperature = 1;
  sets[2] = {"an end of its own", {}};
  sets[2].spec.ignore_eos = false;
  sets[2].spec.tokens_max = 64;
  return sets;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_sim_test)

BOOST_AUTO_TEST_CASE(streams_finish_on_an_undisturbed_cluster) {
  ClusterOptions options;
  options.check_each = true;
  ClusterSim sim(options);
  for (std::uint32_t i = 0; i < 12; ++i) {
    ClusterSim::StreamSpec spec;
    spec.prompt = 5 + 17 * i;
    spec.choices = 1 + i % 3;
    spec.ignore_eos = i % 2 == 0;
    spec.router = i % 3;
    sim.submit(spec);
  }
  sim.play();
  BOOST_TEST(sim.counts.finished == 12U);
  BOOST_TEST(sim.counts.restarts == 0U);
}

BOOST_AUTO_TEST_CASE(every_position_there_and_back) {
  ClusterCounts sum;
  std::uint32_t there_asked = 0;
  std::uint32_t there_committed = 0;
  for (const MoveSet& set : move_sets()) {
    for (std::uint32_t position = 1; position <= 60; position += 1) {
      ClusterOptions options;
      options.seed = position;
      options.check_each = position % 16 == 0;
      ClusterSim sim(options);
      sim.replay_line = std::string(set.name) + ", position " + std::to_string(position);
      const std::size_t stream = sim.submit(set.spec);
      std::uint64_t asked = 0;
      sim.at_tokens(stream, position, [&sim, &asked, stream] {
        if (sim.over(stream)) return;
        const std::uint32_t from = sim.place_of(stream);
        const std::uint32_t to = (from + 1) % sim.nodes();
        const auto there = asked = sim.ask_move(stream, to, sim.router_of(stream));
        sim.after(milliseconds(40), [&sim, stream, from, there] {
          if (sim.over(stream) || !sim.operations[there].move.committed) return;
          sim.ask_move(stream, from, (sim.router_of(stream) + 1) % sim.nodes());
        });
      });
      sim.play();
      sum += sim.counts;
      if (asked == 0 || !set.spec.ignore_eos) continue;  // it may end by itself on the way
      ++there_asked;
      there_committed += sim.operations[asked].move.committed ? 1 : 0;
      if (!sim.operations[asked].move.committed) std::cout << sim.replay_line << ": " << sim.operations[asked].text << "\n";
    }
  }
  std::cout << "every_position_there_and_back: " << there_committed << " of " << there_asked << " there, " << sum.moves_asked << " asked, "
            << sum.commits << " commits, " << sum.aborts << " aborts, " << sum.rows_after_freeze << " rows after freezes, " << sum.events
            << " events\n";
  BOOST_TEST(sum.restarts == 0U);
  BOOST_TEST(there_asked == 120U);
  BOOST_TEST(there_committed == there_asked);
  BOOST_TEST(sum.commits >= 240U);
  BOOST_TEST(sum.checked_moves == sum.commits);
}

BOOST_AUTO_TEST_CASE(all_moves_commit_on_a_clean_network) {
  const auto sum = for_seeds("all_moves_commit_on_a_clean_network", 200, [](std::uint64_t seed, std::string replay) {
    ClusterOptions options;
    options.seed = seed;
    ClusterSim sim(options);
    sim.replay_line = std::move(replay);
    for (int i = 0; i < 8; ++i) {
      ClusterSim::StreamSpec spec;
      spec.prompt = 16 + sim.random().below(400);
      spec.choices = 1 + sim.random().below(3);
      spec.tokens_max = 120;
      spec.router = sim.random().below(3);
      const std::size_t stream = sim.submit(spec);
      sim.at_tokens(stream, 1 + sim.random().below(60), [&sim, stream] {
        sim.ask_move(stream, (sim.place_of(stream) + 1 + sim.random().below(2)) % 3, sim.random().below(3));
      });
    }
    sim.play();
    if (sim.counts.commits != 8) sim.fail(std::to_string(sim.counts.commits) + " of 8 moves were committed: " + sim.last_refusal);
    return sim.counts;
  });
  BOOST_TEST(sum.aborts == 0U);
  BOOST_TEST(sum.restarts == 0U);
  if (one_seed()) return;
  BOOST_TEST(sum.checked_moves == sum.commits);
}

BOOST_AUTO_TEST_CASE(nearly_all_moves_commit_on_a_lossy_network) {
  const auto sum = for_seeds("nearly_all_moves_commit_on_a_lossy_network", 100, [](std::uint64_t seed, std::string replay) {
    ClusterOptions options;
    options.seed = seed;
    options.loss_permille = 50;
    options.repeat_permille = 20;
    options.jitter = milliseconds(2);
    ClusterSim sim(options);
    sim.replay_line = std::move(replay);
    for (int i = 0; i < 6; ++i) {
      ClusterSim::StreamSpec spec;
      spec.prompt = 16 + sim.random().below(1300);
      spec.choices = 1 + sim.random().below(3);
      spec.tokens_max = 400;
      spec.router = sim.random().below(3);
      const std::size_t stream = sim.submit(spec);
      sim.at_tokens(stream, 1 + sim.random().below(60), [&sim, stream] {
        sim.ask_move(stream, (sim.place_of(stream) + 1 + sim.random().below(2)) % 3, sim.router_of(stream));
      });
    }
    sim.play();
    return sim.counts;
  });
  BOOST_TEST(sum.commits * 100 >= sum.moves_asked * 95);
  if (one_seed()) return;
  BOOST_TEST(sum.long_moves > 10U);
}

BOOST_AUTO_TEST_CASE(nodes_die_at_random_and_nobody_loses_a_token) {
  const auto sum = for_seeds("nodes_die_at_random_and_nobody_loses_a_token", 150, [](std::uint64_t seed, std::string replay) {
    ClusterOptions options;
    options.seed = seed;
    options.loss_permille = seed % 3 == 0 ? 20 : 0;
    options.check_each = seed % 10 == 0;
    options.row_copy = std::chrono::microseconds(300);
    ClusterSim sim(options);
    sim.replay_line = std::move(replay);
    for (int i = 0; i < 8; ++i) {
      ClusterSim::StreamSpec spec;
      spec.prompt = 16 + sim.random().below(600);
      spec.choices = 1 + sim.random().below(2);
      spec.tokens_max = 300;
      spec.router = sim.random().below(3);
      const std::size_t stream = sim.submit(spec);
      sim.at_tokens(stream, 20 + sim.random().below(100), [&sim, stream] {
        const std::uint32_t place = sim.place_of(stream);
        if (place == sim.nodes() || !sim.alive(sim.router_of(stream))) return;
        const std::uint32_t destination = (place + 1 + sim.random().below(2)) % 3;
        sim.ask_move(stream, destination, sim.router_of(stream));
        const std::uint32_t roles[] = {place, destination, sim.router_of(stream)};
        const std::uint32_t victim = roles[sim.random().below(3)];
        if (sim.random().one_in(2)) {
          sim.after(core::Duration(milliseconds(1)) * sim.random().below(60),
                    [&sim, victim] { sim.kill(victim, milliseconds(500 + sim.random().below(1500))); });
        }
      });
    }
    sim.play();
    return sim.counts;
  });
  BOOST_TEST(sum.finished == sum.streams);
  if (one_seed()) return;
  BOOST_TEST(sum.kills_with_streams * 4 >= sum.kills * 3);
  BOOST_TEST(sum.kills_with_moves * 4 >= sum.kills);
  BOOST_TEST(sum.kills_of_source >= 3U);
  BOOST_TEST(sum.kills_of_destination >= 3U);
  BOOST_TEST(sum.kills_of_owner >= 3U);
  BOOST_TEST(sum.restarts > 0U);
}

BOOST_AUTO_TEST_CASE(a_drained_node_is_empty_soon) {
  const auto sum = for_seeds("a_drained_node_is_empty_soon", 3, [](std::uint64_t seed, std::string replay) {
    ClusterOptions options;
    options.seed = seed;
    options.blocks = 4000;
    options.router.moves.enabled = false;  // streams leave by the drain alone
    ClusterSim sim(options);
    sim.replay_line = std::move(replay);
    for (std::uint32_t i = 0; i < 36; ++i) {
      ClusterSim::StreamSpec spec;
      spec.prompt = 16 + sim.random().below(60);
      spec.tokens_max = 3000;
      spec.router = i % 3;
      sim.submit(spec);
    }
    sim.run_for(milliseconds(300));
    for (std::uint32_t node = 0; node < 3; ++node) {
      const std::uint32_t running = sim.streams_on(node);
      if (running < 8) sim.fail("only " + std::to_string(running) + " streams to drain");
      const auto operation = sim.ask_drain(node, core::DrainMode::begin, (node + 1) % 3);
      for (int i = 0; i < 50 && !sim.operations[operation].done; ++i) sim.run_for(milliseconds(100));
      const core::OperationUpdate& update = sim.operations[operation];
      if (!update.done || update.code != core::Errc::ok) sim.fail("the drain did not end well: " + update.text);
      if (update.commits != running || sim.streams_on(node) != 0) {
        sim.fail(std::to_string(update.commits) + " commits for " + std::to_string(running) + " streams, " +
                 std::to_string(sim.streams_on(node)) + " left");
      }
      const auto back = sim.ask_drain(node, core::DrainMode::resume, node);
      sim.run_for(milliseconds(300));
      if (!sim.operations[back].done) sim.fail("the node does not come back");
    }
    sim.play();
    if (sim.counts.restarts != 0) sim.fail("a drain restarted streams");
    return sim.counts;
  });
  if (one_seed()) return;
  BOOST_TEST(sum.commits >= seeds_of(3) * 24U);
}

BOOST_AUTO_TEST_CASE(cut_links_and_failing_workers_lose_nobody_a_token) {
  const auto sum = for_seeds("cut_links_and_failing_workers_lose_nobody_a_token", 60, [](std::uint64_t seed, std::string replay) {
    ClusterOptions options;
    options.seed = seed;
    options.check_each = seed % 10 == 0;
    options.blocks = seed % 2 == 0 ? 400 : 110;  // or hardly enough: preemption, waiting, spilling
    options.loss_permille = seed % 4 == 0 ? 30 : 0;
    ClusterSim sim(options);
    sim.replay_line = std::move(replay);
    for (int i = 0; i < 10; ++i) {
      ClusterSim::StreamSpec spec;
      spec.prompt = 16 + sim.random().below(300);
      spec.choices = 1 + sim.random().below(2);
      spec.tokens_max = 250;
      spec.router = sim.random().below(3);
      const std::size_t stream = sim.submit(spec);
      sim.at_tokens(stream, 10 + sim.random().below(100), [&sim, stream] {
        const std::uint32_t place = sim.place_of(stream);
        if (place == sim.nodes()) return;
        sim.ask_move(stream, (place + 1 + sim.random().below(2)) % 3, sim.router_of(stream));
        const std::uint32_t other = (place + 1) % 3;
        const auto lasts = milliseconds(100 + sim.random().below(2500));
        switch (sim.random().below(5)) {
          case 0: sim.fail_worker(place, milliseconds(300)); break;
          case 1: sim.fail_worker(other, milliseconds(300)); break;
          case 2: sim.partition(place, other, lasts); break;
          case 3: sim.after(milliseconds(8), [&sim, place, lasts] { sim.partition(place, (place + 2) % 3, lasts); }); break;
          default: break;
        }
      });
      if (i == 3) sim.at_tokens(stream, 40, [&sim, stream] { sim.cancel(stream); });
      if (i == 6) sim.at_tokens(stream, 50, [&sim, stream] { sim.client_gone(stream); });
    }
    sim.play();
    return sim.counts;
  });
  BOOST_TEST(sum.finished == sum.streams);
  if (one_seed()) return;
  BOOST_TEST(sum.restarts * 6 > seeds_of(60) * 5);
  BOOST_TEST(sum.commits * 6 > seeds_of(60) * 5);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
