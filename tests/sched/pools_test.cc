#include "sched/pools.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

namespace spillway::sched::test {

namespace bdata = boost::unit_test::data;
using std::chrono::milliseconds;

namespace {

constexpr core::NodeId prefill{1};
constexpr core::NodeId decode{2};
constexpr core::NodeId both{3};

PoolRules rules() {
  PoolRules r;
  r.prefill = {prefill};
  r.decode = {decode};
  r.prompt_tokens_min = 100;
  return r;
}

struct Narrowing {
  const char* rule;
  std::uint64_t tokens = 0;
  std::vector<core::NodeId> full{};  ///< without room
  std::vector<core::NodeId> left{};
  std::uint64_t cached_at_decode = 0;
  bool narrowed = true;
  friend std::ostream& operator<<(std::ostream& out, const Narrowing& n) { return out << n.rule; }
};

const std::vector<Narrowing> narrowings{
    {"a long prompt goes to a prefill node or one of both", 100, {}, {prefill, both}},
    {"a short one does not", 99, {}, {decode, both}},
    {"what a decode node holds does not count", 150, {}, {decode, both}, 64},
    {"unless that node has no room", 150, {decode}, {prefill, both}, 64},
    {"without room in its pool it goes anywhere", 100, {prefill, both}, {prefill, decode, both}, 0, false},
};

MoveReplica replica(std::uint64_t node, std::uint32_t streams) {
  MoveReplica r;
  r.replica = {{node}, 0};
  r.streams = streams;
  r.step = {milliseconds(10), milliseconds(1), milliseconds(1)};
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pools)

BOOST_AUTO_TEST_CASE(a_node_in_neither_list_does_both) {
  const PoolRules r = rules();
  BOOST_TEST((r.prefills(prefill) && !r.decodes(prefill)));
  BOOST_TEST((!r.prefills(decode) && r.decodes(decode)));
  BOOST_TEST((r.prefills(both) && r.decodes(both)));
  BOOST_TEST((r.active() && !PoolRules{}.active()));
}

BOOST_DATA_TEST_CASE(placement_is_narrowed, bdata::make(narrowings), row) {
  std::vector<PlacementView> views;
  for (const core::NodeId node : {prefill, decode, both}) {
    PlacementView& view = views.emplace_back();
    view.replica = {node, 0};
    view.blocks_free = std::find(row.full.begin(), row.full.end(), node) == row.full.end() ? 50 : 0;
    if (node == decode) view.cached_tokens = row.cached_at_decode;
  }
  PlacementRequest request;
  request.tokens = row.tokens;
  request.blocks = 10;
  BOOST_TEST(narrow_to_pool(views, request, rules()) == row.narrowed);
  std::vector<core::NodeId> left;
  for (const auto& view : views) left.push_back(view.replica.node);
  BOOST_TEST((left == row.left));
}

BOOST_AUTO_TEST_CASE(answers_are_made_where_a_token_takes_least_time) {
  const std::vector<MoveReplica> replicas{replica(1, 8), replica(2, 3), replica(3, 3), replica(4, 6)};
  PoolRules r = rules();
  BOOST_TEST(*pick_decode(replicas, 1024, core::ServiceClass::live, r) == 1U);
  BOOST_TEST((predicted_tpot(replicas[1], 1024) == milliseconds(15)));
  BOOST_TEST(!pick_decode({}, 1024, core::ServiceClass::live, r));
}

BOOST_AUTO_TEST_CASE(or_packed_where_the_promise_is_kept) {
  const std::vector<MoveReplica> replicas{replica(1, 8), replica(2, 3), replica(3, 6), replica(4, 6)};
  PoolRules r = rules();
  r.decode_choice = DecodeChoice::pack;
  r.tpot = {milliseconds(22), milliseconds(100), milliseconds(0)};
  BOOST_TEST(*pick_decode(replicas, 1024, core::ServiceClass::live, r) == 2U);         // 18 of at most 18.7 ms
  BOOST_TEST(*pick_decode(replicas, 1024, core::ServiceClass::interactive, r) == 0U);  // 20 of at most 85 ms
  BOOST_TEST(*pick_decode(replicas, 1024, core::ServiceClass::batch, r) == 1U);        // promised nothing: the least
  r.tpot[0] = milliseconds(10);
  BOOST_TEST(*pick_decode(replicas, 1024, core::ServiceClass::live, r) == 1U);  // nobody can keep it: the least
}

BOOST_AUTO_TEST_CASE(choices_have_names) {
  BOOST_TEST(to_string(DecodeChoice::pack) == "pack");
  BOOST_TEST(to_string(DecodeChoice::least_tpot) == "least_tpot");
  BOOST_TEST(to_string(static_cast<DecodeChoice>(7)) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
