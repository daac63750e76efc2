#include "decisions/calls.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "decisions/log_format.h"
#include "tests/core/field_tape.h"

namespace spillway::decisions {

namespace {

using core::testing::member_count;
using core::testing::visited_count;

/// A member that no visitor names would be missing in every log. `apart` members are left out on purpose.
template <class T>
void all_members_are_logged(std::size_t apart = 0) {
  BOOST_TEST(visited_count<T>() + apart == member_count<T>(), "a member of " << __PRETTY_FUNCTION__ << " is not in its visitor");
}

template <class... T>
void all_logged() {
  (all_members_are_logged<T>(), ...);
}

template <class Core>
void names_differ() {
  std::set<std::string_view> names;
  std::size_t number = 0;
  CallsOf<Core>::each([&]<class Call>() {
    BOOST_TEST(CallsOf<Core>::template number_of<Call>() == number++);
    names.insert(Call::name);
  });
  BOOST_TEST(names.size() == CallsOf<Core>::size);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(calls)

BOOST_AUTO_TEST_CASE(every_member_of_what_a_core_is_told_is_logged) {
  using namespace sched;
  all_logged<ExportBlock, ExportBegin, ExportFreeze, ExportThaw, ExportRelease, ExportGrown, ExportEnded, ExportFrozen>();
  all_logged<ImportReserve, ImportCommit, ImportCancel, ImportReserved, ImportReserved::Slot, ImportCommitted>();
  all_logged<core::SequenceOpen, core::SampleTarget, core::StepItem, core::BlockCopy, core::StepPlan, core::SampledToken, core::StepResult,
             core::ReplicaInfo>();
  all_logged<RouterLimits, BatcherLimits, CacheLimits, LinkLimits>();
  all_logged<PlacementRules, TenantRules, BucketRules, core::Rung, TokenCosts, MoveLimits, PoolRules, RouterCore::Alternative>();
  all_logged<RouterCore::Admit, CacheCore::RowsWritten>();
  all_members_are_logged<CacheCore::RowsRead>(1);  // the bytes of the page
  all_members_are_logged<core::Envelope>(1);       // an array of two is one member
  all_logged<RouterStart, BatcherStart, CacheStart, LinkStart, LogHead>();
}

BOOST_AUTO_TEST_CASE(every_member_of_what_a_core_answers_is_logged) {
  using namespace sched;
  all_logged<RouterCore::Post, RouterCore::StreamEnded, RouterCore::Operation, RouterCore::Status, RouterCore::MoveAborted>();
  all_logged<RouterCore::Placed, PlacementDecision, PlacementScore, RouterCore::MovePlanned, MoveDecision, MoveScore>();
  all_logged<BatcherCore::Post, BatcherCore::NamesChanged, CacheCore::Post, CacheCore::ReadRows>();
  all_members_are_logged<CacheCore::WriteRows>(1);  // the bytes of the page
  all_logged<LinkCore::Transmit, LinkCore::Deliver, LinkCore::PeerUp, LinkCore::PeerSuspect, LinkCore::PeerDown, LinkCore::BulkCredit,
             LinkCore::Refused>();
}

BOOST_AUTO_TEST_CASE(calls_are_numbered_and_named_apart) {
  names_differ<sched::RouterCore>();
  names_differ<sched::BatcherCore>();
  names_differ<sched::CacheCore>();
  names_differ<sched::LinkCore>();
}

BOOST_AUTO_TEST_CASE(the_shape_is_the_same_each_time) {
  BOOST_TEST(schema_shape() == schema_shape());
  BOOST_TEST(schema_shape() != 0U);
}

BOOST_AUTO_TEST_CASE(a_page_that_is_asked_for_again_was_damaged) {
  sched::CacheCore::Actions actions;
  actions.emplace_back(sched::CacheCore::Post{core::NodeId{1}, core::make_message(core::MissingPages{})});
  actions.emplace_back(std::in_place_type<sched::CacheCore::WriteRows>);
  const auto& again = actions[0];
  const auto& written = actions[1];
  core::PageFrame frame;
  frame.data_bytes = 10;
  frame.data_offset = 20;
  core::Message message = frame;
  BOOST_TEST(cache::Message::damaged(message, again));
  BOOST_TEST(!cache::Message::damaged(message, written));
  BOOST_TEST(!cache::Message::damaged(core::Handoff{}, again));
  cache::Message::make_damaged(message);
  BOOST_TEST(std::get<core::PageFrame>(message).data->size() == 10U);
  BOOST_TEST(std::get<core::PageFrame>(message).data_offset == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions
