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

BOOST_AUTO_TEST_CASE(replicas_are_listed_by_model_in_order_with_the_largest_context_and_pool) {
  NodeViews views;
  const core::ModelId one{11};
  const core::ModelId two{12};
  const auto tell = [&](std::uint64_t id, core::ModelId model, std::uint32_t context, std::uint32_t blocks) {
    core::Report r;
    r.node = {id};
    r.number = 1;
    core::ReplicaReport& told = r.replicas.emplace_back();
    told.model = model, told.context_max = context, told.blocks_total = blocks;
    views.on(r, t0);
    views.check();
  };
  for (std::uint64_t id = 5; id >= 1; --id) views.on_up({id}, {1}, t0);
  tell(3, one, 100, 10);
  tell(1, one, 300, 30);
  tell(2, two, 900, 90);
  tell(5, one, 200, 40);
  const auto nodes = [&](core::ModelId model) {
    std::vector<std::uint64_t> list;
    for (const ModelReplica& entry : views.of(model).list) list.push_back(entry.ref.node.value);
    return list;
  };
  BOOST_TEST((nodes(one) == std::vector<std::uint64_t>{1, 3, 5}));
  BOOST_TEST((nodes(two) == std::vector<std::uint64_t>{2}));
  BOOST_TEST(nodes({13}).empty());
  BOOST_TEST(views.of(one).context_max == 300U);
  BOOST_TEST(views.of(one).blocks_max == 40U);
  tell(1, one, 50, 30);  // it was loaded again, with less
  BOOST_TEST(views.of(one).context_max == 200U);
  views.on_down({5});
  views.check();
  BOOST_TEST((nodes(one) == std::vector<std::uint64_t>{1, 3}));
  BOOST_TEST(views.of(one).context_max == 100U);
  BOOST_TEST(views.of(one).blocks_max == 30U);
  tell(2, one, 900, 90);  // another model there
  BOOST_TEST(nodes(two).empty());
  BOOST_TEST(views.of(one).context_max == 900U);
}

BOOST_AUTO_TEST_CASE(saturation_is_the_mean_of_queues_and_pools_and_stale_views_are_full) {
  NodeViews views;
  const core::ModelId model{11};
  const milliseconds stale(500);
  std::map<std::uint64_t, core::Report> reports;
  const auto tell = [&](std::uint64_t id, std::uint32_t queued, std::uint32_t free, Instant now, bool draining = false) {
    core::Report r;
    r.node = {id};
    r.number = 1;
    r.draining = draining;
    core::ReplicaReport& told = r.replicas.emplace_back();
    told.model = model, told.queued = queued, told.blocks_total = 100, told.blocks_free = free;
    views.on(r, now);
  };
  BOOST_TEST(views.saturation_permille(model, t0, stale) == 0U);
  for (std::uint64_t id = 1; id <= 3; ++id) views.on_up({id}, {1}, t0);
  tell(1, 0, 60, t0);
  BOOST_TEST(views.saturation_permille(model, t0, stale) == 500U);  // 0.4 / 0.8
  tell(2, 10, 100, t0);
  BOOST_TEST(views.saturation_permille(model, t0, stale) == 1250U);  // (0.5 + 10 / 5) / 2
  tell(3, 0, 100, t0, true);
  BOOST_TEST(views.saturation_permille(model, t0, stale) == 1250U);  // who drains is no capacity
  tell(2, 0, 100, t0 + milliseconds(600));
  BOOST_TEST(views.saturation_permille(model, t0 + milliseconds(600), stale) == 500U);  // (stale 1.0 + 0) / 2
  views.sent({{2}, 0}, key, {100, 1, std::nullopt});
  BOOST_TEST(views.saturation_permille(model, t0 + milliseconds(600), stale) == 600U);  // (1.0 + 1 / 5) / 2
}

BOOST_AUTO_TEST_CASE(progress_runs_from_the_report_and_from_each_dispatch) {
  NodeViews views;
  views.on_up(node, {1}, t0);
  core::Report r = report(1);
  r.replicas[0].prefill_tokens = 100;
  r.replicas[0].step_base = milliseconds(10);
  r.replicas[0].step_row = milliseconds(1);
  views.on(r, t0);
  const auto progress = [&](int ms) { return views.find(replica)->progress(t0 + milliseconds(ms), 10); };
  BOOST_TEST(progress(0) == 0U);
  BOOST_TEST(progress(40) == 20U);  // two steps of 20 ms and 10 rows
  BOOST_TEST(progress(9000) == 100U);
  views.advance(replica, t0 + milliseconds(9000), 10);
  views.sent(replica, key, {50, 1, std::nullopt});
  BOOST_TEST(progress(9000) == 100U);  // the new ones begin now
  BOOST_TEST(progress(9020) == 110U);
  BOOST_TEST(progress(99000) == 150U);
  views.advance(replica, t0 + milliseconds(9020), 10);
  views.settled(replica, key);
  views.check();
  BOOST_TEST(progress(9020) == 100U);
  views.on(r, t0 + milliseconds(9030));
  BOOST_TEST(progress(9030) == 0U);
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
