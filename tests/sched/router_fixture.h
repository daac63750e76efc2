#pragma once

#include <boost/test/unit_test.hpp>
#include <map>
#include <vector>

#include "sched/names.h"
#include "sched/router_core.h"

/// One router, its clients and two nodes done by hand.
namespace spillway::sched::test {

using core::Errc;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline const core::NodeId router_id = core::node_id("r");
inline const core::NodeId a{100};
inline const core::NodeId b{200};
inline const core::Incarnation life{77};
inline const core::ModelId model = core::model_id("m");
inline const core::TenantSecret secret = core::tenant_secret({}, "t");

struct Fixture {
  RouterLimits limits;
  RouterCore core;
  RouterCore::Actions out;
  Instant now{seconds(10)};
  std::map<core::NodeId, core::Report> reports;

  explicit Fixture(const RouterLimits& router_limits = {}) : limits(router_limits), core(router_id, "r", life, limits) {
    core.expect_node(a, "a");
    core.expect_node(b, "b");
    core::Report own;
    own.node = router_id;
    own.name = "r";
    own.roles = 1;
    core.on(router_id, own, now, out);
    for (const core::NodeId node : {a, b}) {
      core::Report& r = reports[node];
      r.node = node;
      r.name = node == a ? "a" : "b";
      r.number = 1;
      r.roles = 2;
      core::ReplicaReport& replica = r.replicas.emplace_back();
      replica.model = model;
      replica.features = core::known_features;
      replica.weights_digest = {4, 4};
      replica.context_max = 200;
      replica.ready = true;
      replica.blocks_total = replica.blocks_free = 50;
      replica.step_base = milliseconds(10);
      replica.step_row = milliseconds(1);
      core.on_peer_up(node, {1}, now, out);
      core.on(node, r, now, out);
    }
    out.clear();
  }
  core::ReplicaReport& replica(core::NodeId node) { return reports.at(node).replicas[0]; }
  void report(core::NodeId node) {
    ++reports.at(node).number;
    give(node, reports.at(node));
  }
  template <class M>
  void give(core::NodeId from, const M& message) {
    core.on(from, message, now, out);
    core.check();
  }
  void pass(core::Duration time) {
    const Instant end = now + time;
    while (core.next_tick() <= end) {
      now = std::max(now, core.next_tick());
      core.on_tick(now, out);
      core.check();
      now += milliseconds(1);
    }
    now = std::max(now, end);
  }
  RouterCore::Admit request(std::uint64_t id = 1, std::uint32_t prompt = 40) const {
    RouterCore::Admit admit;
    admit.client = {id};
    admit.tenant_name = "t";
    admit.secret = secret;
    admit.request = std::make_shared<core::Request>();
    admit.request->key = {core::tenant_id("t"), {{1, id}}};
    admit.request->model = model;
    admit.request->prompt = std::vector<core::TokenId>(prompt, 5);
    admit.request->tokens_max = 20;
    return admit;
  }
  void admit(const RouterCore::Admit& what) {
    core.on(what, now, out);
    core.check();
  }
  template <class M>
  const M* sent(core::NodeId to) const {
    for (auto it = out.rbegin(); it != out.rend(); ++it) {
      const auto* post = std::get_if<RouterCore::Post>(&*it);
      if (post != nullptr && post->to == to && std::holds_alternative<M>(*post->message)) return &std::get<M>(*post->message);
    }
    return nullptr;
  }
  template <class M>
  std::vector<M> told(std::uint64_t client) const {
    std::vector<M> list;
    for (const auto& action : out) {
      const auto* message = std::get_if<RouterCore::ToClient>(&action);
      if (message != nullptr && message->client.value == client && std::holds_alternative<M>(message->message))
        list.push_back(std::get<M>(message->message));
    }
    return list;
  }
  const core::OperationUpdate* operation() const {
    for (auto it = out.rbegin(); it != out.rend(); ++it) {
      if (const auto* update = std::get_if<RouterCore::Operation>(&*it)) return &update->update;
    }
    return nullptr;
  }
  /// Admits and lets `a` accept: the Run as it was sent.
  core::Run start(const RouterCore::Admit& what, core::NodeId node = a) {
    admit(what);
    BOOST_REQUIRE(sent<core::Run>(node) != nullptr);
    core::Run run = *sent<core::Run>(node);
    give(node, core::RunAccepted{run.key, run.epoch, run.replica, 1, 16, false, 0, 0});
    return run;
  }
  void tokens(core::NodeId from, const StreamKey& key, const Epoch& epoch, std::uint32_t first, const std::vector<core::TokenId>& list,
              core::FinishReason finish = core::FinishReason::none) {
    core::TokenRun run{key, epoch, 0, first, {}};
    for (const core::TokenId token : list) run.tokens.emplace_back().token = token;
    if (finish != core::FinishReason::none) run.tokens.back().finish = finish;
    give(from, core::Tokens{{from, 0}, {run}});
  }
  std::vector<core::TokenId> received(std::uint64_t client) const {
    std::vector<core::TokenId> list;
    for (const auto& delta : told<core::Delta>(client)) {
      BOOST_TEST((delta.tokens.empty() || delta.first_index == list.size()));
      for (const auto& token : delta.tokens) list.push_back(token.token);
    }
    return list;
  }
};

}  // namespace spillway::sched::test
