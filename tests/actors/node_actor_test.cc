#include "actors/node_actor.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <optional>

#include "tests/actors/one_actor.h"

namespace spillway::tests {

using std::chrono::milliseconds;

namespace {

struct NoState {};

/// What the parts of the node say they hold.
struct Load {
  std::uint32_t streams = 7;
  std::uint32_t owned = 3;
};

/// A batcher that answers each question `delay` after it was asked.
actors::BatcherActor::behavior_type slow_batcher(actors::BatcherActor::stateful_pointer<NoState> self,
                                                 const std::shared_ptr<const actors::Wiring>& wiring, core::Duration delay,
                                                 const std::shared_ptr<const Load>& load) {
  return {
      [](const actors::FromPeer&) {},
      [](const actors::PeerChange&) {},
      [](const actors::ToBatcher&) {},
      [](const actors::Executed&) {},
      [](const actors::WorkerReady&) {},
      [](const actors::WorkerFailed&) {},
      [](const actors::SetDraining&) {},
      [self, wiring, delay, load](const actors::Snapshot& snapshot) {
        core::ReplicaReport report;
        report.streams = load->streams;
        actors::tell_after(self, delay, wiring->node,
                           actors::BatcherSnapshot{snapshot.number, std::make_shared<const core::ReplicaReport>(report), {}});
      },
      [](const actors::Tick&) {},
  };
}

/// A router that answers at once and keeps the reports it is sent.
actors::RouterActor::behavior_type listening_router(actors::RouterActor::stateful_pointer<NoState> self,
                                                    const std::shared_ptr<const actors::Wiring>& wiring,
                                                    const std::shared_ptr<std::vector<core::Report>>& heard,
                                                    const std::shared_ptr<const Load>& load) {
  return {
      [heard](const actors::FromPeer& event) {
        if (const auto* report = std::get_if<core::Report>(event.message.get())) heard->push_back(*report);
      },
      [](const actors::PeerChange&) {},
      [](const actors::ClientIn&) {},
      [](const actors::ClientGone&) {},
      [](const actors::SetDraining&) {},
      [self, wiring, load](const actors::Snapshot& snapshot) {
        actors::tell(self, wiring->node, actors::CountersSnapshot{snapshot.number, {}, load->owned, true});
      },
      [](const actors::Tick&) {},
  };
}

/// One node actor with a batcher of the given slowness.
struct Node {
  OneActor actors;
  std::shared_ptr<actors::Wiring> wiring = std::make_shared<actors::Wiring>();
  std::shared_ptr<std::vector<core::Report>> heard = std::make_shared<std::vector<core::Report>>();
  std::shared_ptr<Load> load = std::make_shared<Load>();
  std::optional<std::size_t> told_empty;  ///< reports of a drained, empty node that were heard when it left

  explicit Node(core::Duration delay) {
    wiring->self = core::node_id("node");
    wiring->routers = {wiring->self};
    wiring->batchers.push_back(actors.system().spawn(slow_batcher, wiring, delay, load));
    wiring->router = actors.system().spawn(listening_router, wiring, heard, load);
    spillway::actors::NodeSetup setup;
    setup.wiring = wiring;
    setup.name = "node";
    setup.report_interval = milliseconds(100);
    setup.on_drained = [this] {
      told_empty = std::count_if(heard->begin(), heard->end(), [](const core::Report& report) {
        return report.draining && report.owned_streams == 0 && report.replicas.at(0).streams == 0;
      });
    };
    wiring->node = actors.system().spawn(spillway::actors::node_actor, std::move(setup));
    actors.tell(wiring->node, spillway::actors::Tick{});
  }
  ~Node() {
    caf::anon_send_exit(wiring->node, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(wiring->router, caf::exit_reason::user_shutdown);
    for (const auto& batcher : wiring->batchers) caf::anon_send_exit(batcher, caf::exit_reason::user_shutdown);
    actors.run(milliseconds(1000));  // what is still on its way
    *wiring = {};
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(node_actor)

BOOST_AUTO_TEST_CASE(reports_go_out_each_interval) {
  Node node(milliseconds(5));
  node.actors.run(milliseconds(1000));
  BOOST_TEST(node.heard->size() >= 9U);
  BOOST_TEST(node.heard->size() <= 11U);
  BOOST_TEST(node.heard->back().replicas.at(0).streams == 7U);
  BOOST_TEST(node.heard->back().owned_streams == 3U);
}

BOOST_AUTO_TEST_CASE(a_part_that_is_slower_than_the_interval_delays_reports_and_loses_none) {
  Node node(milliseconds(250));
  node.actors.run(milliseconds(2000));
  BOOST_TEST(node.heard->size() >= 6U);
  for (std::size_t i = 0; i < node.heard->size(); ++i) {
    BOOST_TEST((*node.heard)[i].number == i + 1);
    BOOST_TEST((*node.heard)[i].replicas.at(0).streams == 7U);
  }
}

BOOST_AUTO_TEST_CASE(news_that_come_during_a_report_are_told_right_behind_it) {
  Node node(milliseconds(50));
  node.actors.run(milliseconds(10));
  BOOST_TEST(node.heard->empty());
  const core::Drain drain{node.wiring->self, core::DrainMode::begin};
  node.actors.tell(node.wiring->node, spillway::actors::FromPeer{node.wiring->self, core::make_message(core::Drain(drain)), 0});
  node.actors.run(milliseconds(95));
  BOOST_REQUIRE(node.heard->size() == 2U);
  BOOST_TEST(node.heard->back().draining);
}

BOOST_AUTO_TEST_CASE(a_node_that_is_to_stop_leaves_an_interval_after_it_said_that_it_is_empty) {
  Node node(milliseconds(5));
  const core::Drain drain{node.wiring->self, core::DrainMode::stop};
  node.actors.tell(node.wiring->node, spillway::actors::FromPeer{node.wiring->self, core::make_message(core::Drain(drain)), 0});
  node.actors.run(milliseconds(1000));
  BOOST_TEST(!node.told_empty.has_value());  // streams run on it
  node.load->streams = 0;
  node.actors.run(milliseconds(500));
  BOOST_TEST(!node.told_empty.has_value());  // and streams are owned by it
  node.load->owned = 0;
  node.actors.run(milliseconds(300));
  BOOST_REQUIRE(node.told_empty.has_value());
  BOOST_TEST(*node.told_empty >= 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
