#include "sched/suspicion.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace std::chrono_literals;
namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(suspicion)

struct RootCase {
  std::uint64_t value, root;
  friend std::ostream& operator<<(std::ostream& out, const RootCase& c) { return out << c.value; }
};
const RootCase roots[] = {{0, 0}, {1, 1}, {3, 1}, {4, 2}, {99, 9}, {100, 10}, {1'000'000, 1000}, {0xffffffffffffffffULL, 0xffffffffULL}};
BOOST_DATA_TEST_CASE(integer_square_root, bdata::make(roots), c) {
  BOOST_TEST(sched::integer_sqrt(c.value) == c.root);
}

BOOST_AUTO_TEST_CASE(before_anything_is_measured_the_expected_interval_counts) {
  const sched::Suspicion s(80, 100ms);
  BOOST_TEST((s.silence_max() == 100ms + 25us * 5612 * 1));  // mean + z(8) x a quarter of the interval
}

BOOST_AUTO_TEST_CASE(a_calm_window_makes_no_hair_trigger) {
  sched::Suspicion s(80, 100ms);
  for (int i = 0; i < 100; ++i) s.add(100ms);
  BOOST_TEST((s.silence_max() == 100ms + 25us * 5612));
}

BOOST_AUTO_TEST_CASE(jitter_widens_the_threshold_and_is_forgotten_with_the_window) {
  sched::Suspicion s(80, 100ms);
  for (int i = 0; i < 32; ++i) s.add(i % 2 == 0 ? 10ms : 190ms);
  const auto wide = s.silence_max();
  BOOST_TEST((wide > 100ms + 85ms * 5));
  for (int i = 0; i < 64; ++i) s.add(100ms);
  BOOST_TEST((s.silence_max() == 100ms + 25us * 5612));
}

BOOST_AUTO_TEST_CASE(a_higher_phi_waits_longer) {
  core::Duration last{0};
  for (std::uint32_t phi = 10; phi <= 120; phi += 5) {
    const auto silence = sched::Suspicion(phi, 100ms).silence_max();
    BOOST_TEST((silence > last));
    last = silence;
  }
}

BOOST_AUTO_TEST_CASE(absurd_intervals_are_clamped) {
  sched::Suspicion s(80, 100ms);
  for (int i = 0; i < 64; ++i) s.add(24h);
  BOOST_TEST((s.silence_max() == 10s + 25us * 5612));
  s.add(-1s);
  BOOST_TEST((s.silence_max() > 0s));
}

BOOST_AUTO_TEST_SUITE_END()
