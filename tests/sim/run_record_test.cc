#include "sim/run_record.h"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace spillway::sim;

BOOST_AUTO_TEST_SUITE(run_record)

BOOST_AUTO_TEST_CASE(every_outcome_has_a_word_of_its_own) {
  std::set<std::string_view> words;
  for (std::size_t i = 0; i < outcome_count; ++i) words.insert(to_string(static_cast<RequestOutcome>(i)));
  BOOST_TEST(words.size() == outcome_count);
  BOOST_TEST(to_string(RequestOutcome::finished) == "finished");
  BOOST_TEST(to_string(RequestOutcome::failed) == "failed");
}

BOOST_AUTO_TEST_CASE(what_nobody_filled_in_never_happened) {
  const RunRecord record;
  BOOST_TEST(record.sent_ns == never_ns);
  BOOST_TEST(record.end_ns == never_ns);
  BOOST_TEST(record.node == no_node);
  BOOST_TEST((record.outcome == RequestOutcome::failed));
}

BOOST_AUTO_TEST_SUITE_END()
