#include "tests/actors/fault_play.h"

#include <boost/test/unit_test.hpp>

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds lease{600};
constexpr milliseconds past_lease{900};
constexpr std::uint32_t hits_max = 60;  // a protocol that never gets a word through cannot end well
constexpr std::uint32_t tokens = 130;
enum Role : std::size_t { moved, never_handed_off, never_released, refused, cancelled, abandoned, turned_away, roles };

core::Submit submit_of(std::size_t role) {
  core::Submit submit;
  submit.request = {{9, role + 1}};
  submit.kind = core::PromptKind::tokens;
  for (std::uint32_t i = 0; i < 70; ++i) submit.tokens.push_back(static_cast<core::TokenId>(300 + role * 50 + i * 7 % 1000));
  submit.tokens_max = tokens;
  submit.ignore_eos = true;
  if (role == moved) {
    submit.choices = 2;
    submit.sampling.temperature = 0.8F;
    submit.sampling.seed = 99;
    submit.seed_set = true;
  }
  return submit;
}

core::StreamKey key_of(std::size_t role) {
  return {core::tenant_id("default"), {{9, role + 1}}};
}

std::size_t made(const Answer& answer) {
  return answer.tokens.empty() ? 0 : answer.tokens.begin()->second.size();
}

/// A message of the same lane that means nothing to anybody.
core::MessagePtr filler(core::Lane lane) {
  if (lane == core::Lane::token) return core::make_message(core::Tokens{});
  return lane == core::Lane::control ? core::make_message(core::StatusPart{}) : nullptr;
}

struct About {
  std::optional<core::StreamKey> key;
  core::Epoch epoch;
};

/// The stream and the newest epoch a message speaks of. Of a transfer's messages only its Offer knows; the caller adds it.
About about(const core::Message& message) {
  About found;
  std::visit(
      [&](const auto& m) {
        if constexpr (requires {
                        m.key;
                        m.new_epoch;
                      }) {
          found = {m.key, m.new_epoch};
        } else if constexpr (requires {
                               m.key;
                               m.granted;
                             }) {
          found = {m.key, m.granted};
        } else if constexpr (requires {
                               m.key;
                               m.epoch;
                             }) {
          found = {m.key, m.epoch};
        } else if constexpr (requires { m.run.key; }) {
          found = {m.run.key, m.run.epoch};
        } else if constexpr (std::is_same_v<std::decay_t<decltype(m)>, core::Tokens>) {
          if (!m.runs.empty()) found = {m.runs[0].key, m.runs[0].epoch};
        }
      },
      message);
  return found;
}

}  // namespace

std::string_view to_string(Fault fault) {
  constexpr std::string_view names[] = {"lost", "repeated", "delayed past its lease", "replayed from an old epoch",
                                        "replayed from an old incarnation"};
  return names[static_cast<std::size_t>(fault)];
}

FaultPlay::FaultPlay(std::size_t type, Fault fault, Level level) : type_(type), fault_(fault), level_(level) {
  const auto& wants = undisturbed();
  streams_.resize(roles);
  for (std::size_t i = 0; i < roles; ++i) {
    streams_[i].submit = submit_of(i);
    streams_[i].want = &wants[i];
  }
  cluster_ = std::make_unique<VirtualCluster>(options());
  if (level == Level::wire) script_wire();
}

FaultPlay::~FaultPlay() {
  for (auto& stream : streams_) stream.connection.reset();  // the network outlives them, and its last calls back find the rest
  cluster_.reset();
}

const std::vector<Answer>& FaultPlay::undisturbed() {
  static const auto answers = [] {
    std::vector<Answer> made(roles);
    for (std::size_t i = 0; i < roles; ++i) {
      VirtualCluster cluster(VirtualOptions{});
      const auto connection = cluster.ask(0, submit_of(i), made[i]);
      BOOST_REQUIRE(cluster.run_until([&] { return made[i].done; }, seconds(30)));
      BOOST_REQUIRE(made[i].failure.empty());
    }
    return made;
  }();
  return answers;
}

VirtualOptions FaultPlay::options() {
  VirtualOptions options;
  options.seed = 100 + type_ * 10 + static_cast<std::size_t>(fault_) * 2 + static_cast<std::size_t>(level_);
  options.blocks = 128;
  options.configure = [](config::Cluster& cluster) {
    cluster.nodes[0].roles = {config::Role::router};
    cluster.nodes[0].models.clear();
    cluster.nodes[1].roles = cluster.nodes[2].roles = {config::Role::worker};
    cluster.timings.lease = lease;
  };
  options.on_send = [this](const core::Envelope& envelope) { return on_send(envelope); };
  options.device_fails = [this](int node) { return std::exchange(failing_[static_cast<std::size_t>(node)], false); };
  return options;
}

/// Sends again by the link suffer too, or they would heal it at once.
void FaultPlay::script_wire() {
  net::ScriptedFault fault;
  fault.match.type = type_;
  switch (fault_) {
    case Fault::lost: fault.action = net::FaultAction::drop, fault.count = 4; break;
    case Fault::repeated: fault.action = net::FaultAction::duplicate, fault.count = hits_max, fault.delay = milliseconds(15); break;
    case Fault::delayed: fault.action = net::FaultAction::delay, fault.count = 10, fault.delay = past_lease; break;
    case Fault::old_epoch:
    case Fault::old_incarnation: return;
  }
  script_ = cluster_->network().add_fault(fault);
}

std::uint32_t FaultPlay::hits() const {
  return script_ ? cluster_->network().fault_hits(*script_) : hits_;
}

// -- The plot ----------------------------------------------------------------------------------------------------------------------

void FaultPlay::ask(Stream& stream) {
  stream.connection = cluster_->ask(0, stream.submit, stream.answer, [this](const core::ClientMessage& m) { on_update(m); });
}

void FaultPlay::on_update(const core::ClientMessage& message) {
  const auto* update = std::get_if<core::OperationUpdate>(&message);
  if (update != nullptr && update->done && update->move.committed) ++commits_;
}

void FaultPlay::move(std::size_t stream) {
  const auto place = places_.find(key_of(stream));
  if (place == places_.end()) return;
  ++streams_[stream].moves_asked;
  const std::string destination = place->second == cluster_->node(1) ? "node-2" : "node-1";
  streams_[stream].connection->send(
      core::MoveRequest{stream * 10 + streams_[stream].moves_asked, streams_[stream].submit.request, destination});
}

/// What happens when a stream is so far. Looked at all the time.
void FaultPlay::cues() {
  const auto at = [this](std::size_t stream) { return made(streams_[stream].answer); };
  const auto asked = [this](std::size_t stream) { return streams_[stream].moves_asked; };
  if (asked(moved) == 0 && at(moved) >= 8) move(moved);
  if (asked(moved) == 1 && at(moved) >= 45) move(moved);
  for (const std::size_t stream : {never_handed_off, never_released, refused, abandoned}) {
    if (asked(stream) == 0 && at(stream) >= 12) move(stream);
  }
  if (at(cancelled) >= 20) cancel(cancelled);
  for (const std::size_t node : {1U, 2U}) {
    if (!failed_[node] && at(moved) >= 35 + 30 * node) failing_[node] = failed_[node] = true;
  }
}

void FaultPlay::cancel(std::size_t stream) {
  if (std::exchange(streams_[stream].cancelled, true)) return;
  streams_[stream].connection->send(core::ClientCancel{streams_[stream].submit.request});
}

bool FaultPlay::done() const {
  return std::all_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.answer.done; });
}

std::string FaultPlay::play() {
  for (auto& stream : streams_) ask(stream);
  const auto ended = [this] {
    cues();
    return done();
  };
  if (fault_ == Fault::old_incarnation) {
    cluster_->run_until([&] { return ended() || made(streams_[moved].answer) >= 80; }, seconds(20));
    crash_and_submit_again();
  }
  if (!cluster_->run_until(ended, seconds(40))) return "streams do not end: " + compare();
  auto wrong = compare();
  cluster_->run_until([&] { return cluster_->left_over().empty(); }, seconds(10));
  cluster_->run_for(past_lease + milliseconds(200));  // what is still on its way arrives
  if (const auto left = cluster_->left_over(); !left.empty()) wrong += " left over:" + left;
  return wrong;
}

void FaultPlay::crash_and_submit_again() {
  for (const int node : {0, 1}) cluster_->crash(node);
  cluster_->run_for(milliseconds(100));
  crashed_ = true;
  for (const int node : {0, 1}) cluster_->restart(node);
  cluster_->run_for(milliseconds(500));
  for (auto& stream : streams_) submit_again(stream);
  milliseconds at{60};
  for (const auto& envelope : kept_) {
    cluster_->after(at, [this, envelope] {
      ++hits_;
      replay(envelope);
    });
    at += milliseconds(5);
  }
}

void FaultPlay::submit_again(Stream& stream) {
  if (stream.answer.done) return;
  if (stream.answer.accepted) {
    const auto& terms = *stream.answer.accepted;
    stream.submit.resumed = true;
    stream.submit.resume = {terms.seed, terms.weights_digest, terms.numerics_id, {}};
    for (std::uint32_t choice = 0; choice < stream.submit.choices; ++choice) {
      core::ChoiceState state;
      state.tokens = stream.answer.tokens[choice];
      if (const auto finish = stream.answer.finish.find(choice); finish != stream.answer.finish.end()) state.finish = finish->second;
      stream.submit.resume.choices.push_back(std::move(state));
    }
  }
  ask(stream);
}

std::string FaultPlay::compare() const {
  std::string wrong;
  for (std::size_t i = 0; i < roles; ++i) {
    const auto& stream = streams_[i];
    if (stream.cancelled && stream.answer.done) continue;
    if (stream.answer == *stream.want && stream.answer.out_of_order == 0) continue;
    wrong += " stream " + std::to_string(i) +
             (stream.answer.done ? " has other bytes" : " is at token " + std::to_string(made(stream.answer))) +
             (stream.answer.failure.empty() ? "" : ", failed: " + stream.answer.failure);
  }
  return wrong;
}

// -- The fault ---------------------------------------------------------------------------------------------------------------------

core::MessagePtr FaultPlay::on_send(const core::Envelope& envelope) {
  const auto& message = envelope.message;
  if (const auto judged = verdicts_.find(message.get()); judged != verdicts_.end()) return judged->second.instead;
  learn(*message);
  core::MessagePtr instead = message;
  if (message->index() == type_) {
    ++seen_;
    instead = strike(envelope);
  }
  if (instead == message) instead = background(message);
  verdicts_.emplace(message.get(), Verdict{message, instead});
  return instead;
}

void FaultPlay::learn(const core::Message& message) {
  if (const auto* offer = std::get_if<core::Offer>(&message)) moves_[offer->transfer] = {offer->key, offer->new_epoch};
  if (const auto* accepted = std::get_if<core::RunAccepted>(&message)) places_[accepted->key] = accepted->replica.node;
  const auto known = about(message);
  if (!known.key) return;
  auto& newest = newest_[*known.key];
  if (newest.counter < known.epoch.counter) newest = known.epoch;
}

core::MessagePtr FaultPlay::strike(const core::Envelope& envelope) {
  const auto& message = envelope.message;
  const bool first = hits_ < 4 || (hits_ < hits_max && seen_ % 2 == 0);
  switch (fault_) {
    case Fault::old_epoch:
      if (kept_.size() < hits_max) {
        kept_.push_back(envelope);
        replay_when_old(envelope, 100);
      }
      return message;
    case Fault::old_incarnation:
      if (!crashed_ && kept_.size() < hits_max) kept_.push_back(envelope);
      return message;
    default: break;
  }
  if (level_ == Level::wire || !first) return message;
  ++hits_;
  if (fault_ == Fault::repeated) {
    deliver_later(envelope, milliseconds(0));
    deliver_later(envelope, milliseconds(30));
    return message;
  }
  if (fault_ == Fault::delayed) deliver_later(envelope, past_lease);
  return filler(envelope.lane);
}

/// What goes wrong in every play, so that the rarer messages are needed.
core::MessagePtr FaultPlay::background(const core::MessagePtr& message) {
  auto lost = filler(core::Lane::control);
  if (const auto* handoff = std::get_if<core::Handoff>(message.get())) {
    if (handoff->run.key == key_of(never_handed_off)) return lost;
    if (handoff->run.key != key_of(abandoned)) return message;
    // Cancelled while it is frozen, and the source does not hear of it: it asks, and the stream is gone.
    cluster_->after(milliseconds(20), [this] { cancel(abandoned); });
    return lost;
  }
  if (const auto* cancel = std::get_if<core::CancelRun>(message.get()); cancel != nullptr && cancel->key == key_of(abandoned)) return lost;
  if (const auto* release = std::get_if<core::Release>(message.get()); release != nullptr && release->key == key_of(never_released))
    return lost;
  if (const auto* offer = std::get_if<core::Offer>(message.get()); offer != nullptr && offer->key == key_of(refused)) {
    core::Offer foreign = *offer;
    foreign.numerics_id += 1;
    return core::make_message(std::move(foreign));
  }
  if (const auto* run = std::get_if<core::Run>(message.get()); run != nullptr && run->key == key_of(turned_away) && !turned_) {
    turned_ = true;
    core::Run foreign = *run;
    core::Request request = *run->request;
    request.model.value += 1;
    foreign.request = std::make_shared<const core::Request>(std::move(request));
    return core::make_message(std::move(foreign));
  }
  if (const auto* page = std::get_if<core::PageFrame>(message.get()); page != nullptr && pages_lost_[page->transfer]++ < 2) return nullptr;
  return message;
}

void FaultPlay::deliver_later(const core::Envelope& envelope, core::Duration delay) {
  cluster_->after(delay, [this, envelope] { cluster_->deliver(envelope.to, envelope.from, envelope.message); });
}

bool FaultPlay::old(const core::Message& message) const {
  auto known = about(message);
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { m.transfer; }) {
          if (const auto found = moves_.find(m.transfer); found != moves_.end()) known = {found->second.first, found->second.second};
        }
      },
      message);
  if (!known.key) return false;
  const auto newest = newest_.find(*known.key);
  return newest != newest_.end() && known.epoch.counter < newest->second.counter;
}

void FaultPlay::replay_when_old(const core::Envelope& envelope, int tries) {
  if (tries == 0) return;
  cluster_->after(milliseconds(40), [this, envelope, tries] {
    if (!old(*envelope.message)) return replay_when_old(envelope, tries - 1);
    ++hits_;
    replay(envelope);
    cluster_->after(milliseconds(250), [this, envelope] { replay(envelope); });
  });
}

void FaultPlay::replay(const core::Envelope& envelope) {
  if (level_ == Level::wire) {
    cluster_->network().replay(envelope);
  } else {
    cluster_->deliver(envelope.to, envelope.from, envelope.message);
  }
}

}  // namespace spillway::tests
