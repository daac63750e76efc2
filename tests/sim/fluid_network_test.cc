#include "sim/fluid_network.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

#include "sim/workload_random.h"

using namespace spillway;
using namespace spillway::sim;
using core::Duration;
using core::Instant;

namespace {
Instant at(double seconds) {
  return Instant{Duration(static_cast<std::int64_t>(seconds * 1e9))};
}
double seconds(Instant t) {
  return static_cast<double>(t.time_since_epoch().count()) / 1e9;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(fluid_network)

BOOST_AUTO_TEST_CASE(flows_share_a_link_and_speed_up_when_one_ends) {
  FluidNetwork net;
  const auto link = net.add_link(100);
  net.send(1, {link}, 100, 11, at(0));
  net.send(2, {link}, 300, 22, at(0));
  BOOST_TEST(seconds(net.next_end()) == 2.0, boost::test_tools::tolerance(1e-6));
  const auto first = net.ended(net.next_end());
  BOOST_REQUIRE(first.size() == 1U);
  BOOST_TEST(first[0] == 11U);
  BOOST_TEST(seconds(net.next_end()) == 4.0, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(net.ended(net.next_end()).at(0) == 22U);
  BOOST_TEST((net.next_end() == core::never));
}

BOOST_AUTO_TEST_CASE(a_flow_that_is_held_back_elsewhere_leaves_its_share_to_others) {
  FluidNetwork net;
  const auto wide = net.add_link(100);
  const auto narrow = net.add_link(10);
  net.send(1, {wide, narrow}, 1000, 1, at(0));
  net.send(2, {wide}, 1000, 2, at(0));
  BOOST_TEST(net.rate(1) == 10.0);
  BOOST_TEST(net.rate(2) == 90.0);
}

BOOST_AUTO_TEST_CASE(pieces_of_a_flow_come_in_order_and_rates_are_not_computed_for_each) {
  FluidNetwork net;
  const auto link = net.add_link(1000);
  for (std::uint64_t i = 0; i < 50; ++i) net.send(1, {link}, 10, i, at(0));
  std::vector<std::uint64_t> got;
  while (net.next_end() != core::never) {
    for (const auto tag : net.ended(net.next_end())) got.push_back(tag);
  }
  BOOST_TEST(got.size() == 50U);
  BOOST_TEST(std::is_sorted(got.begin(), got.end()));
  BOOST_TEST(net.solved() <= 2U);
  BOOST_TEST(net.flows_begun() == 1U);
}

BOOST_AUTO_TEST_CASE(a_stopped_flow_gives_its_pieces_back) {
  FluidNetwork net;
  const auto link = net.add_link(10);
  net.send(1, {link}, 100, 1, at(0));
  net.send(1, {link}, 100, 2, at(0));
  net.send(2, {link}, 10, 3, at(0));
  BOOST_TEST((net.stop(1, at(1)) == std::vector<std::uint64_t>{1, 2}));
  BOOST_TEST(net.rate(2) == 10.0);
  BOOST_TEST(seconds(net.next_end()) == 1.5, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(rates_are_max_min_fair) {
  CounterRandom random(9, RandomUse::test);
  std::uint64_t flows_seen = 0;
  for (int round = 0; round < 100; ++round) {
    FluidNetwork net;
    const auto links = 3 + random.below(6);
    for (std::uint64_t l = 0; l < links; ++l) net.add_link(10 + static_cast<double>(random.below(1000)));
    std::map<std::uint64_t, std::vector<FluidNetwork::Link>> paths;
    const std::uint64_t flows = 2 + random.below(30);
    for (std::uint64_t f = 0; f < flows; ++f) {
      auto& path = paths[f];
      for (FluidNetwork::Link l = 0; l < links; ++l) {
        if (random.below(3) == 0) path.push_back(l);
      }
      if (path.empty()) path.push_back(0);
      net.send(f, path, 1000, f, at(0));
    }
    std::vector<double> used(links, 0);
    for (const auto& [f, path] : paths) {
      for (const auto l : path) used[l] += net.rate(f);
    }
    for (FluidNetwork::Link l = 0; l < links; ++l) BOOST_TEST(used[l] <= net.capacity(l) * (1 + 1e-9));
    // Each flow has a full link on which nobody has more than it.
    for (const auto& [f, path] : paths) {
      ++flows_seen;
      BOOST_TEST(std::any_of(path.begin(), path.end(), [&, id = f](auto l) {
        if (used[l] < net.capacity(l) * (1 - 1e-9)) return false;
        return std::all_of(paths.begin(), paths.end(), [&](const auto& other) {
          const bool here = std::find(other.second.begin(), other.second.end(), l) != other.second.end();
          return !here || net.rate(other.first) <= net.rate(id) * (1 + 1e-9);
        });
      }));
    }
  }
  BOOST_TEST(flows_seen >= 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
