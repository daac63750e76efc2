#include "sched/node_views.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched {

namespace {

using std::chrono::milliseconds;

const core::NodeId node = core::node_id("n");
const core::ReplicaRef replica{node, 0};
const Instant t0{std::chrono::seconds(1)};
const StreamKey key{{1}, {{1, 1}}};

core::Report report(std::uint64_t number) {
  core::Report r;
  r.node = node;
  r.name = "n";
  r.number = number;
  r.replicas.emplace_back().ready = true;
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(node_views_test)

BOOST_AUTO_TEST_CASE(a_dispatch_counts_until_a_report_that_is_later_than_its_acceptance) {
  NodeViews views;
  views.on_up(node, {1}, t0);
  views.on(report(4), t0);
  views.sent(replica, key, {100, 7, std::nullopt});
  views.on(report(5), t0);
  BOOST_TEST(views.find(replica)->tokens_in_flight == 100U);  // not accepted yet: no report can hold it
  views.accepted(replica, key, 5);
  views.on(report(5), t0);
  BOOST_TEST(views.find(replica)->blocks_in_flight == 7U);
  views.on(report(6), t0);
  BOOST_TEST(views.find(replica)->tokens_in_flight == 0U);
  BOOST_TEST(views.find(replica)->blocks_in_flight == 0U);
  views.check();
}

BOOST_AUTO_TEST_CASE(fit_for_new_work) {
  NodeViews views;
  const auto fit = [&](Instant now) { return NodeViews::fit(*views.find(node), now, milliseconds(500)); };
  views.on_up(node, {1}, t0);
  BOOST_TEST(!fit(t0));  // has not reported
  views.on(report(1), t0);
  BOOST_TEST(fit(t0));
  BOOST_TEST(!fit(t0 + milliseconds(501)));
  views.find(node)->suspect = true;
  BOOST_TEST(!fit(t0));
  views.on_up(node, {2}, t0);
  BOOST_TEST(!fit(t0));
  core::Report draining = report(1);
  draining.draining = true;
  views.on(draining, t0);
  BOOST_TEST(!fit(t0));
  BOOST_TEST(views.draining(node));
  views.on_down(node);
  BOOST_TEST(!views.draining(node));
  views.on(report(9), t0);  // of the dead
  BOOST_TEST(!fit(t0));
}

BOOST_AUTO_TEST_CASE(announced_names_are_found_in_order) {
  NodeViews views;
  views.on_up(node, {1}, t0);
  views.on(report(1), t0);
  const std::vector<core::BlockName> prompt{{{1, 1}}, {{1, 2}}, {{1, 3}}};
  const std::vector<core::BlockName> own{{{2, 1}}, {{2, 2}}};
  const auto cached = [&] { return NodeViews::cached_tokens(*views.find(replica), prompt, {&own}); };
  views.on(core::Announce{replica, {}, true, {prompt[0], prompt[2], own[0]}, {}});
  BOOST_TEST(cached() == 16U);  // what follows a hole is of no use
  views.on(core::Announce{replica, {}, false, {prompt[1]}, {}});
  BOOST_TEST(cached() == 64U);
  views.on(core::Announce{replica, {}, false, {}, {prompt[0]}});
  BOOST_TEST(cached() == 0U);
  views.on(core::Announce{replica, {}, true, prompt, {}});
  BOOST_TEST(cached() == 48U);
  core::Report again = report(2);
  again.replicas[0].generation = 2;  // the worker was restarted: its blocks are gone
  views.on(again, t0);
  BOOST_TEST(cached() == 0U);
}

BOOST_AUTO_TEST_CASE(status_names_the_absent) {
  NodeViews views;
  views.expect(node, "n");
  views.expect(core::node_id("m"), "m");
  BOOST_TEST(!views.complete());
  views.on_up(node, {1}, t0);
  views.on(report(1), t0);
  BOOST_TEST(!views.complete());
  std::uint32_t down = 0;
  for (const auto& status : views.status()) down += status.state == core::NodeState::down && status.name == "m" ? 1 : 0;
  BOOST_TEST(down == 1U);
  BOOST_TEST((views.by_name("m") == core::node_id("m")));
  BOOST_TEST(!views.by_name("nobody"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
