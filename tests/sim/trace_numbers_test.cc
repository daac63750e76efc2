#include "sim/trace_numbers.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

struct DecimalCase {
  const char* text;
  int shift;
  std::optional<std::int64_t> want;
  friend std::ostream& operator<<(std::ostream& out, const DecimalCase& c) { return out << c.text << " e" << c.shift; }
};

const DecimalCase decimal_cases[] = {
    {"0", 9, 0},
    {"12", 0, 12},
    {"61.114", 9, 61'114'000'000},
    {"1.0000005", 6, 1'000'001},  // half up
    {"1.00000049", 6, 1'000'000},
    {"0.1", 9, 100'000'000},
    {"-3.5", 1, -35},
    {".5", 1, 5},
    {"5.", 1, 50},
    {"1e3", 0, 1000},
    {"1.5E+2", 0, 150},
    {"1500e-3", 3, 1500},
    {"7e-4", 3, 1},
    {"4e-4", 3, 0},
    {"9e-99", 9, 0},
    {"9223372036854775806", 0, 9'223'372'036'854'775'806},
    {"9223372036854775808", 0, {}},
    {"1e30", 0, {}},
    {"", 0, {}},
    {".", 0, {}},
    {"-", 0, {}},
    {"1.2.3", 0, {}},
    {"1e", 0, {}},
    {"1e9999", 0, {}},
    {"12 ", 0, {}},
    {"+1", 0, {}},
    {"0x10", 0, {}},
    {"nan", 0, {}},
};

struct DateCase {
  const char* text;
  std::optional<std::int64_t> want;
  friend std::ostream& operator<<(std::ostream& out, const DateCase& c) { return out << c.text; }
};

const DateCase date_cases[] = {
    {"1970-01-01 00:00:00", 0},
    {"1970-01-02 00:00:01.5", 86'401'500'000'000},
    {"2023-11-16 18:17:03.9799600", 1'700'158'623'979'960'000},
    {"2023-11-16T18:17:03.9799600Z", 1'700'158'623'979'960'000},
    {"2024-05-10 00:00:00.009930+00:00", 1'715'299'200'009'930'000},
    {"2000-02-29 12:00:00", 951'825'600'000'000'000},
    {"2024-12-31 23:59:59.999999999", 1'735'689'599'999'999'999},
    {"2100-03-01 00:00:00", 4'107'542'400'000'000'000},
    {"2023-02-29 12:00:00", {}},
    {"2100-02-29 00:00:00", {}},
    {"2023-13-01 00:00:00", {}},
    {"2023-00-01 00:00:00", {}},
    {"2023-01-32 00:00:00", {}},
    {"2023-01-00 00:00:00", {}},
    {"2023-01-01 24:00:00", {}},
    {"2023-01-01 00:60:00", {}},
    {"2023-01-01 00:00:60", {}},
    {"2023-01-01 00:00:00.", {}},
    {"2023-01-01 00:00:00.1234567890", {}},
    {"2023-01-01 00:00", {}},
    {"2023-1-1 00:00:00", {}},
    {"1969-12-31 00:00:00", {}},
    {"2262-01-01 00:00:00", {}},
    {"2023-01-01 00:00:00+02:00", {}},
    {"", {}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(trace_numbers)

BOOST_DATA_TEST_CASE(decimals_are_exact, bdata::make(decimal_cases), c) {
  BOOST_TEST((parse_decimal(c.text, c.shift) == c.want));
}

BOOST_DATA_TEST_CASE(dates_are_nanoseconds_since_1970, bdata::make(date_cases), c) {
  BOOST_TEST((parse_date(c.text) == c.want));
}

BOOST_AUTO_TEST_CASE(whole_numbers_may_have_a_fraction_of_zeros) {
  BOOST_TEST((parse_whole("472") == 472U));
  BOOST_TEST((parse_whole("472.00") == 472U));
  BOOST_TEST((parse_whole("18446744073709551615") == UINT64_MAX));
  for (const auto* text : {"", "-1", "4.5", "4.", ".0", " 4", "4 ", "4x", "18446744073709551616", "4.0.0", "1e3"})
    BOOST_TEST(!parse_whole(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(reals_are_the_nearest_double) {
  BOOST_TEST((parse_real("0.0502525") == 0.0502525));
  BOOST_TEST((parse_real("1e-3") == 1e-3));
  for (const auto* text : {"", "inf", "nan", "-inf", "1e999", "1.0x", " 1"}) BOOST_TEST(!parse_real(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
