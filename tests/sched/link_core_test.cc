#include "sched/link_core.h"

#include <boost/test/unit_test.hpp>

#include "tests/sched/link_world.h"

using namespace spillway;
using namespace spillway::sched::test;
using namespace std::chrono_literals;
using core::EnvelopeKind;
using core::Lane;
using sched::LinkCore;

namespace {

LinkCounts play(LinkOptions options, std::uint64_t seeds) {
  LinkCounts sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      options.seed = seed;
      sum += LinkWorld(options).play();
    }
  }
  BOOST_TEST_MESSAGE("sent " << sum.sent << ", delivered " << sum.delivered << ", not taken while down " << sum.dropped_down << ", bulk " << sum.bulk_sent << "/"
                             << sum.bulk_delivered << ", ups " << sum.ups << ", downs " << sum.downs << ", restarts " << sum.restarts << ", partitions "
                             << sum.partitions << ", replays " << sum.replays << ", lost " << sum.lost << ", repeated " << sum.repeated << ", resent "
                             << sum.resent << ", suspected " << sum.suspects);
  return sum;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(link_core)

BOOST_AUTO_TEST_CASE(in_order_once_and_none_lost_over_a_pipe_that_does_everything_wrong) {
  const auto sum = play({}, 200);
  BOOST_TEST(sum.delivered > 100000U);
}

BOOST_AUTO_TEST_SUITE_END()
