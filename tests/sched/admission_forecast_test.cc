#include "sched/admission_forecast.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/sched/fake_worker.h"

using namespace spillway::sched;
using spillway::sched::test::Random;

BOOST_AUTO_TEST_SUITE(admission_forecast)

BOOST_AUTO_TEST_CASE(an_answer_is_taken_to_be_as_long_as_the_quantile_says) {
  AnswerLengths lengths;
  for (std::uint32_t i = 1; i <= 60; ++i) lengths.record(i);
  BOOST_TEST(lengths.samples() == 60U);
  BOOST_TEST(lengths.remaining(0, 1000, 500) == 30U);
  BOOST_TEST(lengths.remaining(0, 1000, 900) == 54U);
  BOOST_TEST(lengths.remaining(0, 1000, 1) == 1U);
}

BOOST_AUTO_TEST_CASE(only_answers_longer_than_it_is_count) {
  AnswerLengths lengths;
  for (std::uint32_t i = 1; i <= 60; ++i) lengths.record(i);
  BOOST_TEST(lengths.remaining(40, 1000, 500) == 10U);  // the middle of 41 to 60 is 50
  BOOST_TEST(lengths.remaining(59, 1000, 500) == 1U);
}

BOOST_AUTO_TEST_CASE(an_answer_longer_than_all_is_at_its_half) {
  AnswerLengths lengths;
  for (std::uint32_t i = 1; i <= 60; ++i) lengths.record(i);
  BOOST_TEST(lengths.remaining(60, 1000, 500) == 60U);
  BOOST_TEST(lengths.remaining(300, 1000, 500) == 300U);
  BOOST_TEST(AnswerLengths{}.remaining(0, 1000, 500) == 1U);
}

BOOST_AUTO_TEST_CASE(nothing_goes_beyond_tokens_max) {
  AnswerLengths lengths;
  for (int i = 0; i < 50; ++i) lengths.record(5000);
  BOOST_TEST(lengths.remaining(0, 100, 500) == 100U);
  BOOST_TEST(lengths.remaining(99, 100, 500) == 1U);
  BOOST_TEST(lengths.remaining(6000, 6100, 500) == 100U);
}

BOOST_AUTO_TEST_CASE(long_answers_are_known_to_a_sixteenth) {
  for (std::uint32_t length = 1; length < 2'000'000; length += 1 + length / 7) {
    AnswerLengths lengths;
    lengths.record(length);
    const auto told = lengths.remaining(0, 0xffffffffU, 500);
    BOOST_TEST(told >= length);
    BOOST_TEST(told <= length + length / 16);
  }
  AnswerLengths lengths;
  lengths.record(0xffffffffU);
  BOOST_TEST(lengths.remaining(0, 0xffffffffU, 500) == 0xffffffffU);
}

BOOST_AUTO_TEST_CASE(recent_answers_count_most) {
  AnswerLengths lengths;
  for (int i = 0; i < 3000; ++i) lengths.record(10);
  for (int i = 0; i < 1500; ++i) lengths.record(50);
  BOOST_TEST(lengths.samples() <= 1024U);
  BOOST_TEST(lengths.remaining(0, 1000, 500) == 50U);
}

BOOST_AUTO_TEST_CASE(two_streams_of_the_paper) {
  // The longer one has its peak at its end, alone; both together at the end of the shorter.
  std::vector<ForecastEntry> entries{{.held = 10, .remaining = 2}, {.held = 4, .remaining = 20}};
  BOOST_TEST(predicted_peak(entries) == 24U);  // max(4 + 20, 14 + 2 x 2)
  entries = {{.held = 10, .remaining = 8}, {.held = 4, .remaining = 9}};
  BOOST_TEST(predicted_peak(entries) == 30U);  // 14 + 2 x 8
  entries.clear();
  BOOST_TEST(predicted_peak(entries) == 0U);
}

BOOST_AUTO_TEST_CASE(the_peak_is_what_playing_the_future_token_by_token_shows) {
  Random random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<ForecastEntry> entries;
    for (std::uint32_t n = 1 + random.below(12); n > 0; --n) entries.push_back({random.below(200), 1 + random.below(100)});
    std::uint64_t played = 0;
    for (std::uint32_t t = 1; t <= 100; ++t) {
      std::uint64_t used = 0;
      for (const auto& e : entries) used += e.remaining >= t ? e.held + t : 0;
      played = std::max(played, used);
    }
    BOOST_REQUIRE(predicted_peak(entries) == played);
  }
}

BOOST_AUTO_TEST_SUITE_END()
