// Each message of runs and moves lost, repeated, delayed past its lease, and replayed from an old epoch or incarnation, with the
// real actors over the network in memory: right bytes, clean ledgers, and every fault counted.

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "core/messages.h"
#include "tests/actors/fault_play.h"

namespace spillway::tests {

namespace {

/// All of core/run_messages.h and of the part Moving of core/messages.h; views and operators' messages follow behind.
constexpr std::size_t types = net::message_type<core::TransferAbort> + 1;
static_assert(net::message_type<core::Run> == 0 && types == 21);

/// Everything here runs on one thread, so ThreadSanitizer, which is slow, gets a sixth of it.
#if defined(__SANITIZE_THREAD__)
constexpr bool all = false;
#else
constexpr bool all = true;
#endif

void each_type(Fault fault) {
  std::uint32_t hits = 0, commits = 0, plays = 0;
  for (std::size_t type = 0; type < types; ++type) {
    for (const auto level : {Level::wire, Level::above_link}) {
      if (!all && (level == Level::wire || type % 3 != 0)) continue;
      FaultPlay play(type, fault, level);
      const auto wrong = play.play();
      const std::string what = std::string(core::traits(type)->name) + " " + std::string(to_string(fault)) +
                               (level == Level::wire ? " on the wire" : " behind the link");
      BOOST_TEST_MESSAGE(what << ": sent " << play.seen() << ", faults " << play.hits() << ", commits " << play.commits());
      BOOST_TEST(wrong.empty(), what << ":" << wrong);
      BOOST_TEST(play.hits() > 0U, what << " never happened");
      hits += play.hits();
      commits += play.commits();
      ++plays;
    }
  }
  BOOST_TEST_MESSAGE(to_string(fault) << ": plays " << plays << ", faults " << hits << ", moves committed " << commits);
  BOOST_TEST(commits >= plays);
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_message_lost) {
  each_type(Fault::lost);
}
BOOST_AUTO_TEST_CASE(each_message_repeated) {
  each_type(Fault::repeated);
}
BOOST_AUTO_TEST_CASE(each_message_delayed_past_its_lease) {
  each_type(Fault::delayed);
}
BOOST_AUTO_TEST_CASE(each_message_replayed_from_an_old_epoch) {
  each_type(Fault::old_epoch);
}
BOOST_AUTO_TEST_CASE(each_message_replayed_from_an_old_incarnation) {
  each_type(Fault::old_incarnation);
}

}  // namespace spillway::tests
