#include "cluster-config/units.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace bdata = boost::unit_test::data;

namespace spillway::config {

struct UnitCase {
  const char* text;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> duration;
  std::optional<std::uint64_t> bandwidth;
};
std::ostream& operator<<(std::ostream& out, const UnitCase& value) {
  return out << '"' << value.text << '"';
}

constexpr std::nullopt_t no = std::nullopt;
const UnitCase unit_cases[] = {
    {"17B", 17, no, no},
    {"4KiB", 4096, no, no},
    {"512MiB", 512ULL << 20, no, no},
    {"3GiB", 3ULL << 30, no, no},
    {"2TiB", 2ULL << 40, no, no},
    {"5kB", 5000, no, no},
    {"5MB", 5'000'000, no, no},
    {"5GB", 5'000'000'000, no, no},
    {"1TB", 1'000'000'000'000, no, no},
    {"1.5KiB", 1536, no, no},
    {"0.000001MB", 1, no, no},
    {"100MB/s", no, no, 100'000'000},
    {"0B/s", no, no, 0},
    {"250ms", no, 250'000'000, no},
    {"1.5s", no, 1'500'000'000, no},
    {"7ns", no, 7, no},
    {"7us", no, 7000, no},
    {"2min", no, 120'000'000'000, no},
    {"1h", no, 3'600'000'000'000, no},
    {"9223372036854775807B", 9'223'372'036'854'775'807ULL, no, no},
    {"9223372036854775808B", no, no, no},
    {"99999999999999999999999B", no, no, no},
    {"8388608TiB", no, no, no},
    {"9999999999h", no, no, no},
    {"0.5B", no, no, no},
    {"0.1ns", no, no, no},
    {"1.1234567s", no, no, no},
    {"", no, no, no},
    {"5", no, no, no},
    {"MiB", no, no, no},
    {"1.MiB", no, no, no},
    {".5MiB", no, no, no},
    {"-1s", no, no, no},
    {"+1s", no, no, no},
    {"1 s", no, no, no},
    {" 1s", no, no, no},
    {"1s ", no, no, no},
    {"1m", no, no, no},
    {"1mb", no, no, no},
    {"1e3s", no, no, no},
    {"1s2ms", no, no, no},
    {"1MB/s/s", no, no, no},
};

BOOST_AUTO_TEST_SUITE(units)

BOOST_DATA_TEST_CASE(texts_with_units, bdata::make(unit_cases), each) {
  BOOST_TEST((parse_size(each.text) == each.size));
  BOOST_TEST((parse_duration(each.text) == each.duration));
  BOOST_TEST((parse_bandwidth(each.text) == each.bandwidth));
}

BOOST_AUTO_TEST_CASE(what_is_written_is_read_back) {
  for (const std::uint64_t number :
       {0ULL, 1ULL, 999ULL, 1000ULL, 1024ULL, 262'144ULL, 1'000'000ULL, 100'000'000ULL, (1ULL << 40) + 1, 600'000'000'000ULL}) {
    BOOST_TEST(parse_size(format_size(number)).value() == number);
    BOOST_TEST(parse_duration(format_duration(number)).value() == number);
    BOOST_TEST(parse_bandwidth(format_bandwidth(number)).value() == number);
  }
  BOOST_TEST(format_size(262'144) == "256KiB");
  BOOST_TEST(format_size(1'000'000) == "1MB");
  BOOST_TEST(format_duration(100'000'000) == "100ms");
  BOOST_TEST(format_duration(600'000'000'000) == "10min");
  BOOST_TEST(format_bandwidth(5000) == "5kB/s");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
