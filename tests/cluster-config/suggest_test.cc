#include "cluster-config/suggest.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>
#include <string>

namespace bdata = boost::unit_test::data;

namespace spillway::config {

struct NearCase {
  const char* rule;
  const char* word;
  const char* want;
};
std::ostream& operator<<(std::ostream& out, const NearCase& value) {
  return out << value.rule;
}

const NearCase near_cases[] = {
    {"a missing letter", "prt", "port"},
    {"a letter too many", "portt", "port"},
    {"a wrong letter", "pord", "port"},
    {"two letters swapped", "prot", "port"},
    {"wrong case", "PORT", "port"},
    {"nothing near", "banana", ""},
    {"an empty word means nothing", "", ""},
    {"the nearer of two", "zones", "zone"},
    {"a tie goes to the first", "zonx", "zone"},
    {"a long word may have more slips", "client_silence_maxi", "client_silence_max"},
};

BOOST_AUTO_TEST_SUITE(suggest)

BOOST_DATA_TEST_CASE(nearest_word, bdata::make(near_cases), each) {
  BOOST_TEST(nearest(each.word, {"port", "zone", "zony", "client_silence_max"}) == each.want);
}

BOOST_AUTO_TEST_CASE(endless_words_are_not_compared) {
  BOOST_TEST(nearest(std::string(100'000, 'a'), {"port"}) == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
