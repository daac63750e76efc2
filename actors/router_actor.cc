#include "actors/router_actor.h"

#include "core/log.h"

namespace spillway::actors {

namespace {

using Self = RouterActor::stateful_pointer<RouterShell>;
using Core = sched::RouterCore;
namespace call = decisions::router;

void send(Self self, sched::ClientRef client, core::ClientMessage message) {
  if (client) state(self).setup.send(client, std::make_shared<const core::ClientMessage>(std::move(message)));
}

/// A fresh text stream that has seen the first `count` tokens of the choice.
void rewind(const StreamText& text, ChoiceText& choice, std::size_t count) {
  choice.stream = std::make_unique<model::TextStream>(text.tokenizer, text.stop);
  choice.tokens.resize(std::min(choice.tokens.size(), count));
  for (const auto token : choice.tokens) choice.stream->feed(token);
}

/// Adds the text that the tokens of `delta` complete. The end token is not shown.
void add_text(Self self, const core::StreamKey& key, core::Delta& delta) {
  const auto found = state(self).texts.find(key);
  if (found == state(self).texts.end()) return;
  StreamText& text = found->second;
  if (delta.choice >= text.choices.size()) return;
  ChoiceText& choice = text.choices[delta.choice];
  if (delta.first_index != choice.tokens.size()) rewind(text, choice, delta.first_index);
  for (const auto& token : delta.tokens) {
    if (token.is_end) continue;
    choice.tokens.push_back(token.token);
    delta.text += choice.stream->feed(token.token);
  }
  if (delta.finish != core::FinishReason::none) delta.text += choice.stream->finish();
}

/// The text of a stream that another model answers is made with that model's words.
void speak_as(RouterShell& shell, const core::StreamKey& key, const std::string& name) {
  const auto found = shell.texts.find(key);
  if (name.empty() || found == shell.texts.end()) return;
  StreamText& text = found->second;
  for (const auto& model : shell.setup.models) {
    if (model.name != name || model.tokenizer == text.tokenizer) continue;
    text.tokenizer = model.tokenizer;
    for (auto& choice : text.choices) rewind(text, choice, choice.tokens.size());
  }
}

std::string name_of(const RouterShell& shell, core::NodeId node) {
  const auto found = shell.setup.nodes.find(node);
  return found == shell.setup.nodes.end() ? "?" : found->second;
}

/// The owner's word on moves, for those who read logs: when one begins and when it is committed (MoveAborted says when it is not).
void log_move(const RouterShell& shell, const core::Message& message) {
  if (const auto* move = std::get_if<core::Move>(&message)) {
    core::log_info("move " + core::to_hex(move->key.request) + " begins: " + name_of(shell, move->source.node) + " to " +
                   name_of(shell, move->destination.node) + ", epoch " + std::to_string(move->new_epoch.counter));
  } else if (const auto* release = std::get_if<core::Release>(&message)) {
    core::log_info("move " + core::to_hex(release->key.request) + " committed, epoch " + std::to_string(release->new_epoch.counter));
  }
}

/// "place 0123... on a by additive, least_cost: a/0 1200, b/0 3400, c/0 -".
std::string text_of(const RouterShell& shell, const Core::Placed& placed) {
  const auto replica = [&](core::ReplicaRef ref) { return name_of(shell, ref.node) + "/" + std::to_string(ref.index); };
  const sched::PlacementDecision& decision = placed.decision;
  std::string text = "place " + core::to_hex(placed.key.request) + ", epoch " + std::to_string(placed.epoch.counter) + ", on " +
                     replica(decision.replica) + " by " + std::string(core::to_string(decision.policy)) + ", " +
                     std::string(sched::to_string(decision.reason)) + ":";
  for (std::size_t i = 0; i < decision.scores.size(); ++i) {
    const sched::PlacementScore& score = decision.scores[i];
    const bool compared = score.usable && score.score != sched::worst_score;
    text += (i == 0 ? " " : ", ") + replica(score.replica) + " " + (compared ? std::to_string(score.score) : "-");
  }
  return text;
}

/// "plan 0123... from a/0 to b/0 by move, exhaustion: gains 120 ms = 400 - 200 - 20 - 60; b/0 120, c/0 -30".
std::string text_of(const RouterShell& shell, const Core::MovePlanned& planned) {
  const auto replica = [&](core::ReplicaRef ref) { return name_of(shell, ref.node) + "/" + std::to_string(ref.index); };
  const auto ms = [](core::Duration d) { return std::to_string(d.count() / 1'000'000); };
  const sched::MoveDecision& d = planned.decision;
  std::string text = "plan " + core::to_hex(planned.key.request) + " from " + replica(d.source) + " to " + replica(d.destination) + " by " +
                     std::string(sched::to_string(d.road)) + ", " + std::string(sched::to_string(d.reason)) + ": gains " + ms(d.gain) +
                     " ms = " + ms(d.at_source) + " - " + ms(d.at_destination) + " - " + ms(d.downtime) + " - " + ms(d.interference);
  for (std::size_t i = 0; i < d.scores.size(); ++i)
    text += (i == 0 ? "; " : ", ") + replica(d.scores[i].replica) + " " + ms(d.scores[i].gain);
  return text;
}

void perform(Self self, Core::Action& action) {
  auto& shell = state(self);
  std::visit(Overloaded{
                 [&](Core::Post& a) {
                   log_move(shell, *a.message);
                   post(self, *shell.setup.wiring, a.to, a.message);
                 },
                 [&](Core::ToClient& a) {
                   if (auto* delta = std::get_if<core::Delta>(&a.message)) add_text(self, a.key, *delta);
                   if (auto* accepted = std::get_if<core::Accepted>(&a.message)) speak_as(shell, a.key, accepted->model);
                   std::visit([&](auto& message) { send(self, a.client, std::move(message)); }, a.message);
                 },
                 [&](Core::StreamEnded& a) { shell.texts.erase(a.key); },
                 [&](Core::Operation& a) { send(self, a.client, std::move(a.update)); },
                 [&](Core::Status& a) { send(self, a.client, std::move(a.reply)); },
                 [&](Core::MoveAborted& a) {
                   core::log_info("move " + core::to_hex(a.key.request) + " failed, epoch " + std::to_string(a.new_epoch.counter) + ": " +
                                  a.reason);
                 },
                 [&](Core::Placed& a) { core::log_info(text_of(shell, a)); },
                 [&](Core::MovePlanned& a) { core::log_info(text_of(shell, a)); },
             },
             action);
}

/// Performs what the core asked for.
void carry_out(Self self) {
  auto& shell = state(self);
  for (auto& action : shell.actions) perform(self, action);
  shell.timer.arm(self, shell.core->next_tick());
}

template <class Call, class... A>
void drive(Self self, const A&... arguments) {
  auto& shell = state(self);
  shell.actions.clear();
  decisions::take<Call>(shell.log, *shell.core, now(self), shell.actions, arguments...);
  carry_out(self);
}

void on_peer(Self self, const PeerChange& change) {
  switch (change.kind) {
    case PeerChange::Kind::up: return drive<call::PeerUp>(self, change.peer, change.incarnation);
    case PeerChange::Kind::suspect: return drive<call::PeerSuspect>(self, change.peer, true);
    case PeerChange::Kind::trusted: return drive<call::PeerSuspect>(self, change.peer, false);
    case PeerChange::Kind::down: return drive<call::PeerDown>(self, change.peer, change.incarnation);
    case PeerChange::Kind::credit: break;
  }
}

void on_hello(Self self, sched::ClientRef client) {
  const auto& setup = state(self).setup;
  core::ServerHello hello;
  hello.build = SPILLWAY_VERSION;
  hello.node = setup.name;
  hello.incarnation = setup.wiring->incarnation;
  hello.routers = setup.endpoints;
  for (const auto& model : setup.models) hello.models.push_back(model.name);
  send(self, client, std::move(hello));
}

/// The text of a stream starts where its tokens do: those of a resumed one were shown by another router.
void open_text(Self self, const Core::Admit& admit) {
  auto& shell = state(self);
  StreamText text;
  for (const auto& model : shell.setup.models) {
    if (model.id == admit.request->model) text.tokenizer = model.tokenizer;
  }
  text.stop = admit.request->stop;
  text.choices.resize(admit.request->choices);
  for (std::size_t i = 0; i < text.choices.size(); ++i) {
    if (i < admit.resume.choices.size()) text.choices[i].tokens = admit.resume.choices[i].tokens;
    rewind(text, text.choices[i], text.choices[i].tokens.size());
  }
  shell.texts.insert_or_assign(admit.request->key, std::move(text));
}

/// A client that comes back to a running stream may have heard more of it, through another router, than was made here. It was shown
/// the text of those tokens, so they go into the text state: what it is shown next begins behind them.
void catch_up(StreamText& text, const core::Resume& resume) {
  for (std::size_t i = 0; i < std::min(text.choices.size(), resume.choices.size()); ++i) {
    const auto& had = resume.choices[i].tokens;
    auto& choice = text.choices[i];
    for (std::size_t at = choice.tokens.size(); at < had.size(); ++at) {
      choice.tokens.push_back(had[at]);
      choice.stream->feed(had[at]);
    }
  }
}

/// Did the core refuse `client`? Another request may run under the id.
bool refused(const Core::Actions& actions, sched::ClientRef client) {
  return std::any_of(actions.begin(), actions.end(), [&](const Core::Action& action) {
    const auto* told = std::get_if<Core::ToClient>(&action);
    return told != nullptr && told->client == client && std::holds_alternative<core::Failed>(told->message);
  });
}

void on_submit(Self self, sched::ClientRef client, const std::string& tenant, const core::Submit& submit) {
  auto admit = prepare(submit, state(self).setup, tenant);
  if (!admit) {
    send(self, client, core::Failed{submit.request, admit.error().code, admit.error().message, admit.error().retry_after});
    return;
  }
  admit->client = client;
  // A repeated Submit of a running stream finds its text state there, and rewinds it when it is shown again.
  const auto key = admit->request->key;
  const bool running = state(self).texts.count(key) != 0;
  if (!running) open_text(self, *admit);
  auto& shell = state(self);
  shell.actions.clear();
  decisions::take<call::Admit>(shell.log, *shell.core, now(self), shell.actions, *admit);
  if (running && admit->resumed && !refused(shell.actions, client)) catch_up(shell.texts.at(key), admit->resume);
  carry_out(self);
}

void refuse_operator(Self self, sched::ClientRef client, std::uint64_t operation) {
  core::OperationUpdate update;
  update.operation = operation;
  update.done = true;
  update.code = core::Errc::unauthorized;
  update.text = "this client may not ask for operations: give its key or token operator = true in the cluster file";
  send(self, client, std::move(update));
}

void on_client(Self self, const ClientIn& in) {
  const auto drive_operator = [&](const auto& request) {
    if (!in.operator_rights) return refuse_operator(self, in.client, request.operation);
    drive<call::Operator>(self, in.client, *in.message);
  };
  std::visit(Overloaded{
                 [&](const core::ClientHello&) { on_hello(self, in.client); },
                 [&](const core::Submit& m) { on_submit(self, in.client, in.tenant, m); },
                 [&](const core::ClientCancel& m) {
                   drive<call::Cancel>(self, in.client, core::StreamKey{core::tenant_id(in.tenant), m.request});
                 },
                 [&](const core::StatusRequest& m) { drive_operator(m); },
                 [&](const core::MoveRequest& m) { drive_operator(m); },
                 [&](const core::DrainRequest& m) { drive_operator(m); },
                 [](const auto&) {},
             },
             *in.message);
}

}  // namespace

RouterActor::behavior_type router_actor(Self self, RouterSetup setup) {
  auto& shell = state(self);
  shell.core = std::make_unique<Core>(setup.wiring->self, setup.name, setup.wiring->incarnation, setup.limits);
  shell.log = decisions::record<Core>(setup.decision_log, {setup.wiring->self, setup.name, setup.wiring->incarnation, setup.limits});
  for (const auto& [node, name] : setup.nodes) {
    decisions::take<call::ExpectNode>(shell.log, *shell.core, now(self), shell.actions, node, name);
  }
  shell.setup = std::move(setup);
  return {
      [self](const FromPeer& event) { drive<call::Message>(self, event.from, *event.message); },
      [self](const PeerChange& change) { on_peer(self, change); },
      [self](const ClientIn& in) { on_client(self, in); },
      [self](const ClientGone& gone) { drive<call::ClientGone>(self, gone.client); },
      [self](const SetDraining& set) { drive<call::SetDraining>(self, set.draining, set.leave); },
      [self](const Snapshot& snapshot) {
        auto& s = state(self);
        s.actions.clear();
        const auto [counters, streams] = decisions::take<call::Report>(s.log, *s.core, now(self), s.actions);
        tell(self, s.setup.wiring->node, CountersSnapshot{snapshot.number, counters, static_cast<std::uint32_t>(streams), true});
      },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive<call::Tick>(self);
      },
  };
}

}  // namespace spillway::actors
