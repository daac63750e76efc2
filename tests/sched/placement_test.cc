#include "sched/placement.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace spillway::sched {

namespace bdata = boost::unit_test::data;

namespace {

struct PlaceCase {
  const char* rule;
  PlacementView a;
  PlacementView b;
  PlacementRequest request;
  int want;  ///< 0: a, 1: b, -1: nobody

  friend std::ostream& operator<<(std::ostream& out, const PlaceCase& c) { return out << c.rule; }
};

PlacementView view(std::uint64_t node, std::uint32_t blocks_free = 100) {
  PlacementView v;
  v.replica = {{node}, 0};
  v.blocks_free = blocks_free;
  return v;
}

template <class Change>
PlacementView with(PlacementView v, Change&& change) {
  change(v);
  return v;
}

const PlacementRequest request{500, 32, 1000};

const PlaceCase cases[] = {
    {"equals go to the lowest id", view(2), view(1), request, 1},
    {"a prefix hit beats a shorter queue", with(view(1), [](auto& v) { v.cached_tokens = 480, v.prefill_tokens = 300; }),
     with(view(2), [](auto& v) { v.prefill_tokens = 100; }), request, 0},
    {"a long queue beats a prefix hit", with(view(1), [](auto& v) { v.cached_tokens = 480, v.prefill_tokens = 700; }),
     with(view(2), [](auto& v) { v.prefill_tokens = 100; }), request, 1},
    {"dispatches in flight count like reported prefill", with(view(1), [](auto& v) { v.tokens_in_flight = 400; }),
     with(view(2), [](auto& v) { v.prefill_tokens = 300; }), request, 1},
    {"running streams weigh", with(view(1), [](auto& v) { v.streams = 4; }), with(view(2), [](auto& v) { v.streams = 3; }), request, 1},
    {"long contexts weigh", with(view(1), [](auto& v) { v.decode_tokens = 6400; }), with(view(2), [](auto& v) { v.decode_tokens = 3200; }),
     request, 1},
    {"the unfit is never chosen", with(view(1), [](auto& v) { v.eligible = false; }),
     with(view(2), [](auto& v) { v.prefill_tokens = 9000; }), request, 1},
    {"the full is never chosen", view(1, 31), with(view(2, 32), [](auto& v) { v.prefill_tokens = 9000; }), request, 1},
    {"blocks in flight are not free", with(view(1, 60), [](auto& v) { v.blocks_in_flight = 29; }),
     with(view(2), [](auto& v) { v.prefill_tokens = 9000; }), request, 1},
    {"nobody has room", view(1, 31), view(2, 0), request, -1},
    {"nobody is fit", with(view(1), [](auto& v) { v.eligible = false; }), with(view(2), [](auto& v) { v.eligible = false; }), request, -1},
    {"prefixes may be worth nothing", with(view(1), [](auto& v) { v.cached_tokens = 480, v.streams = 1; }), view(2), {500, 32, 0}, 1},
    {"a hit longer than the request counts no more than it", with(view(1), [](auto& v) { v.cached_tokens = 5000, v.streams = 1; }),
     with(view(2), [](auto& v) { v.cached_tokens = 500; }), request, 1},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_test)

BOOST_DATA_TEST_CASE(place_picks_replica, bdata::make(cases), c) {
  const PlacementView views[] = {c.a, c.b};
  const auto best = place(views, c.request);
  BOOST_TEST((best ? static_cast<int>(*best) : -1) == c.want);
}

BOOST_AUTO_TEST_CASE(nothing_to_choose_from) {
  BOOST_TEST(!place({}, request).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
