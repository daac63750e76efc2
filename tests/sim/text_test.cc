#include "sim/text.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

struct NumberCase {
  const char* name;
  std::string_view text;
  std::optional<double> want;
  friend std::ostream& operator<<(std::ostream& out, const NumberCase& c) { return out << c.name; }
};

const NumberCase number_cases[] = {
    {"a decimal number", "12.5", 12.5},
    {"an exponent as printf writes it", "1.5e+06", 1.5e6},
    {"below zero", "-0.25", -0.25},
    {"nothing is no number", "", std::nullopt},
    {"a unit behind it is no part of it", "12us", std::nullopt},
    {"infinity is no figure", "inf", std::nullopt},
    {"nor is what is not a number", "nan", std::nullopt},
    {"two numbers are none", "1 2", std::nullopt},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(text)

BOOST_DATA_TEST_CASE(a_number_is_the_whole_text, bdata::make(number_cases), c) {
  BOOST_TEST((parse_number(c.text) == c.want));
}

BOOST_AUTO_TEST_CASE(spaces_and_carriage_returns_are_trimmed_at_both_ends) {
  BOOST_TEST(trimmed(" \t a b \r") == "a b");
  BOOST_TEST(trimmed(" \r").empty());
}

BOOST_AUTO_TEST_CASE(a_file_is_read_whole_or_named) {
  const TestFolder folder;
  folder.write("a", std::string("one\n\0two", 8));
  const auto read = read_text(folder.file("a"));
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->text == std::string("one\n\0two", 8));
  BOOST_TEST(file_exists(folder.file("a")));
  BOOST_TEST(!file_exists(folder.file("b")));
  const auto missing = read_text(folder.file("b"));
  BOOST_REQUIRE(!missing.has_value());
  BOOST_TEST(says(missing.error(), folder.file("b"), "cannot be opened"));
  BOOST_TEST(!read_text(folder.path()).has_value());
}

BOOST_AUTO_TEST_CASE(an_error_begins_with_its_place) {
  BOOST_TEST(wrong_at("f.csv", 7, "bad: want good").value().message == "f.csv:7: bad: want good");
}

BOOST_AUTO_TEST_SUITE_END()
