#include "net/memory_network.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <utility>

#include "core/assert.h"
#include "net/codec.h"

namespace spillway::net {

namespace {

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA'14).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    auto z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  bool strikes(std::uint32_t ppm) { return ppm > 0 && next() % 1'000'000 < ppm; }
  core::Duration between(core::Duration low, core::Duration high) {
    if (high <= low) return low;
    return low + core::Duration{static_cast<std::int64_t>(next() % static_cast<std::uint64_t>((high - low).count() + 1))};
  }

 private:
  std::uint64_t state_;
};

using Direction = std::pair<core::NodeId, core::NodeId>;
using Flow = std::pair<Direction, core::Lane>;

struct Packet {
  core::Instant due;
  std::uint64_t number = 0;  // of sending: breaks ties
  std::function<void()> deliver;
};

struct Later {
  bool operator()(const Packet& a, const Packet& b) const { return std::pair(a.due, a.number) > std::pair(b.due, b.number); }
};

core::Envelope through_codec(const core::Envelope& envelope) {
  if (envelope.kind == core::EnvelopeKind::data) {
    // Simulated pages may have no bytes; they have no wire form.
    const auto* page = std::get_if<core::PageFrame>(envelope.message.get());
    if (page != nullptr && !page->data) return envelope;
  }
  const auto frames = encode(envelope);
  ReceivedFrames in{frames.header, nullptr};
  if (frames.payload) {
    const auto view = frames.payload_view();
    in.payload = core::share(core::ByteVector(view.begin(), view.end()));
  }
  auto decoded = decode_envelope(in, {.header_bytes_max = 64U << 20, .payload_bytes_max = 64U << 20});
  SPILLWAY_ASSERT(decoded);
  return std::move(*decoded);
}

template <class Message>
Message client_through_codec(const Message& message) {
  const auto frames = encode(message);
  auto decoded = decode_client({frames.header, nullptr}, {.header_bytes_max = 64U << 20, .payload_bytes_max = 0});
  SPILLWAY_ASSERT(decoded);
  return std::move(*decoded);
}

}  // namespace

bool EnvelopeMatch::operator()(const core::Envelope& envelope) const {
  if (from && envelope.from != *from) return false;
  if (to && envelope.to != *to) return false;
  if (kind && envelope.kind != *kind) return false;
  if (!type) return true;
  return envelope.kind == core::EnvelopeKind::data && envelope.message && envelope.message->index() == *type;
}

struct MemoryNetwork::State {
  struct Node {
    std::uint64_t generation = 0;  // counts attach(); an older transport is deaf and dumb
    Transport::Receiver receiver;
    std::set<core::NodeId> peers;
  };
  struct Listener {
    std::uint64_t generation = 0;
    ClientListener::Callbacks callbacks;
  };
  struct Client {
    core::NodeId node;
    std::uint64_t listener_generation = 0;
    ClientConnection::Callbacks callbacks;
    ClientIdentity identity;
    core::Instant last_up;  // due time of the last message each way: order is kept
    core::Instant last_down;
    bool seen = false;    // by on_message
    bool open_up = true;  // client -> router still carries
    bool open_down = true;
    bool ending = false;  // takes no more messages; both sides have been or will be told
  };
  struct Script {
    ScriptedFault fault;
    std::uint32_t matched = 0;
    std::uint32_t hits = 0;
  };
  struct Capture {
    EnvelopeMatch match;
    std::size_t left = 0;
  };

  explicit State(const MemoryNetworkOptions& given) : options(given), random(given.seed) {}

  void schedule(core::Instant due, std::function<void()> deliver) { queue.push({std::max(due, now), next_number++, std::move(deliver)}); }
  bool cut(const Direction& direction) const { return cuts.contains(direction); }
  const LinkFaults& faults_of(const Direction& direction) const {
    const auto own = own_faults.find(direction);
    return own == own_faults.end() ? options.faults : own->second;
  }

  void send(const core::Envelope& envelope);
  void send_now(const core::Envelope& envelope, core::Duration extra, bool passes_others);
  void deliver(const core::Envelope& envelope, bool past_cuts);

  void client_up(std::uint64_t ref, core::ClientMessage message);
  void client_down(std::uint64_t ref, const core::ClientMessagePtr& message);
  void end_client(std::uint64_t ref, const std::string& reason, bool tell_router, bool tell_client);
  void close_up(std::uint64_t ref, const std::string& reason);
  void close_down(std::uint64_t ref, const std::string& reason);

  MemoryNetworkOptions options;
  Random random;
  core::Instant now{};
  std::uint64_t next_number = 0;
  std::uint64_t next_generation = 1;
  std::uint64_t next_client = 1;
  std::priority_queue<Packet, std::vector<Packet>, Later> queue;
  std::map<core::NodeId, Node> nodes;
  std::map<core::NodeId, Listener> listeners;
  std::map<std::uint64_t, Client> clients;
  std::map<Direction, LinkFaults> own_faults;
  std::set<Direction> cuts;
  std::set<core::NodeId> isolated_in;
  std::set<core::NodeId> isolated_out;
  std::map<Flow, core::Instant> last_due;
  std::map<Direction, core::Instant> bulk_free;  // when the sender's bulk link has sent what it has
  std::vector<Script> scripts;
  std::vector<Capture> captures;
  std::vector<core::Envelope> captured;
  std::function<void(core::Instant, const core::Envelope&)> observer;
  MemoryNetworkCounters counters;
};

void MemoryNetwork::State::send(const core::Envelope& envelope) {
  ++counters.sent;
  for (auto& capture : captures) {
    if (capture.left == 0 || !capture.match(envelope)) continue;
    --capture.left;
    captured.push_back(envelope);
    break;
  }
  core::Duration extra{0};
  bool dropped = false;
  std::vector<core::Duration> copies;
  for (auto& script : scripts) {  // each counts every match, whatever the others do
    if (!script.fault.match(envelope)) continue;
    const auto turn = script.matched++;
    if (turn < script.fault.skip || turn - script.fault.skip >= script.fault.count) continue;
    ++script.hits;
    ++counters.scripted;
    dropped = dropped || script.fault.action == FaultAction::drop;
    if (script.fault.action == FaultAction::delay) extra += script.fault.delay;
    if (script.fault.action == FaultAction::duplicate) copies.push_back(script.fault.delay);
  }
  if (dropped) return;
  for (const auto delay : copies) send_now(envelope, delay, true);
  const auto& faults = faults_of({envelope.from, envelope.to});
  const bool lost = random.strikes(faults.loss_ppm);
  const bool twice = random.strikes(faults.duplicate_ppm);
  const bool late = random.strikes(faults.reorder_ppm);
  const auto lateness = random.between(core::Duration{0}, faults.reorder_max);
  if (lost) {
    ++counters.lost;
    return;
  }
  if (late) ++counters.reordered;
  send_now(envelope, extra + (late ? lateness : core::Duration{0}), late || extra > core::Duration{0});
  if (!twice) return;
  ++counters.duplicated;
  send_now(envelope, extra + lateness, true);
}

void MemoryNetwork::State::send_now(const core::Envelope& envelope, core::Duration extra, bool passes_others) {
  const Direction direction{envelope.from, envelope.to};
  if (queue.size() >= options.in_flight_max) {
    ++counters.full;
    return;
  }
  const auto& faults = faults_of(direction);
  auto start = now;
  if (envelope.lane == core::Lane::bulk && faults.bulk_bytes_per_second > 0 && envelope.kind == core::EnvelopeKind::data) {
    const auto* page = std::get_if<core::PageFrame>(envelope.message.get());
    const std::uint64_t bytes = 128 + (page != nullptr ? page->data_bytes : 0U);
    auto& free = bulk_free[direction];
    free = std::max(free, now) + core::Duration{static_cast<std::int64_t>(bytes * 1'000'000'000ULL / faults.bulk_bytes_per_second)};
    start = free;
  }
  auto due = start + random.between(faults.delay_min, faults.delay_max) + extra;
  if (!passes_others) {
    auto& last = last_due[{direction, envelope.lane}];
    due = last = std::max(due, last);
  }
  schedule(due, [this, envelope] { deliver(envelope, false); });
}

void MemoryNetwork::State::deliver(const core::Envelope& envelope, bool past_cuts) {
  if (!past_cuts && (cut({envelope.from, envelope.to}) || isolated_in.contains(envelope.to) || isolated_out.contains(envelope.from))) {
    ++counters.cut;
    return;
  }
  const auto node = nodes.find(envelope.to);
  if (node == nodes.end() || !node->second.receiver) {
    ++counters.unreachable;
    return;
  }
  ++counters.delivered;
  if (envelope.kind == core::EnvelopeKind::data) ++counters.delivered_by_type[envelope.message->index()];
  if (observer) observer(now, envelope);
  // A copy, for the receiver may replace or remove itself while it runs.
  const auto receiver = node->second.receiver;
  receiver(options.codec_round_trip ? through_codec(envelope) : core::Envelope(envelope));
}

void MemoryNetwork::State::client_up(std::uint64_t ref, core::ClientMessage message) {
  auto& client = clients.at(ref);
  if (options.codec_round_trip) message = client_through_codec(message);
  client.last_up = std::max(client.last_up, now + options.client_delay);
  schedule(client.last_up, [this, ref, shared = std::make_shared<core::ClientMessage>(std::move(message))] {
    const auto found = clients.find(ref);
    if (found == clients.end() || !found->second.open_up) return;
    const auto listener = listeners.find(found->second.node);
    if (listener == listeners.end() || (found->second.seen && listener->second.generation != found->second.listener_generation) ||
        !listener->second.callbacks.on_message) {
      return end_client(ref, "nobody listens", false, true);
    }
    found->second.seen = true;
    found->second.listener_generation = listener->second.generation;
    if (auto* hello = std::get_if<core::ClientHello>(shared.get())) {
      found->second.identity = {"loopback", hello->tenant.empty() ? "default" : hello->tenant, true};
      hello->token.clear();
    }
    ++counters.client_messages;
    const auto on_message = listener->second.callbacks.on_message;
    const auto identity = found->second.identity;
    on_message(ClientRef{ref}, identity, std::move(*shared));
  });
}

void MemoryNetwork::State::client_down(std::uint64_t ref, const core::ClientMessagePtr& message) {
  auto& client = clients.at(ref);
  client.last_down = std::max(client.last_down, now + options.client_delay);
  schedule(client.last_down, [this, ref, message] {
    const auto found = clients.find(ref);
    if (found == clients.end() || !found->second.open_down || !found->second.callbacks.on_message) return;
    ++counters.client_messages;
    const auto on_message = found->second.callbacks.on_message;
    on_message(options.codec_round_trip ? client_through_codec(*message) : core::ClientMessage(*message));
  });
}

/// Each side hears of the end after what was sent to it before.
void MemoryNetwork::State::end_client(std::uint64_t ref, const std::string& reason, bool tell_router, bool tell_client) {
  const auto found = clients.find(ref);
  if (found == clients.end() || found->second.ending) return;
  auto& client = found->second;
  client.ending = true;
  const auto up_due = std::max(client.last_up, now + options.client_delay);
  const auto down_due = std::max(client.last_down, now + options.client_delay);
  if (!tell_router) client.open_up = false;
  if (!tell_client) client.open_down = false;
  schedule(up_due, [this, ref, reason] { close_up(ref, reason); });
  schedule(down_due, [this, ref, reason] { close_down(ref, reason); });
  schedule(std::max(up_due, down_due), [this, ref] { clients.erase(ref); });
}

void MemoryNetwork::State::close_up(std::uint64_t ref, const std::string& reason) {
  auto& client = clients.at(ref);
  if (!std::exchange(client.open_up, false) || !client.seen) return;
  const auto listener = listeners.find(client.node);
  if (listener == listeners.end() || listener->second.generation != client.listener_generation) return;
  const auto on_gone = listener->second.callbacks.on_gone;
  if (on_gone) on_gone(ClientRef{ref}, reason);
}

void MemoryNetwork::State::close_down(std::uint64_t ref, const std::string& reason) {
  auto& client = clients.at(ref);
  if (!std::exchange(client.open_down, false)) return;
  const auto on_gone = client.callbacks.on_gone;
  if (on_gone) on_gone(core::Error{core::Errc::unavailable, reason, core::Duration{0}});
}

namespace {

class MemoryTransport final : public Transport {
 public:
  using Send = std::function<void(const core::Envelope&)>;
  using Node = std::function<void(Receiver*, const core::NodeId* peer, bool stop)>;
  MemoryTransport(Send send, Node node) : send_(std::move(send)), node_(std::move(node)) {}
  ~MemoryTransport() override { node_(nullptr, nullptr, true); }

  void send(core::Envelope envelope) override { send_(envelope); }
  void set_receiver(Receiver receiver) override { node_(&receiver, nullptr, false); }
  void set_peer(core::NodeId peer, PeerAddress) override { node_(nullptr, &peer, false); }
  void stop() override { node_(nullptr, nullptr, true); }

 private:
  Send send_;
  Node node_;
};

class MemoryListener final : public ClientListener {
 public:
  using Set = std::function<void(Callbacks*)>;
  using Send = std::function<bool(ClientRef, const core::ClientMessagePtr&)>;
  using Close = std::function<void(ClientRef, std::string_view)>;
  MemoryListener(Set set, Send send, Close close) : set_(std::move(set)), send_(std::move(send)), close_(std::move(close)) {}
  ~MemoryListener() override { set_(nullptr); }

  void set_callbacks(Callbacks callbacks) override { set_(&callbacks); }
  bool send(ClientRef client, core::ClientMessagePtr message) override { return send_(client, message); }
  void close(ClientRef client, std::string_view reason) override { close_(client, reason); }
  void stop() override { set_(nullptr); }

 private:
  Set set_;
  Send send_;
  Close close_;
};

class MemoryConnection final : public ClientConnection {
 public:
  using Send = std::function<bool(core::ClientMessage&&)>;
  MemoryConnection(Send send, std::function<void()> close) : send_(std::move(send)), close_(std::move(close)) {}
  ~MemoryConnection() override { close_(); }
  bool send(core::ClientMessage message) override { return send_(std::move(message)); }

 private:
  Send send_;
  std::function<void()> close_;
};

}  // namespace

MemoryNetwork::MemoryNetwork(MemoryNetworkOptions options) : state_(std::make_unique<State>(options)) {}
MemoryNetwork::~MemoryNetwork() = default;

std::unique_ptr<Transport> MemoryNetwork::attach(core::NodeId id) {
  auto* state = state_.get();
  const auto generation = state->next_generation++;
  state->nodes[id] = {generation, nullptr, {}};
  auto send = [state, id, generation](const core::Envelope& envelope) {
    const auto node = state->nodes.find(id);
    if (node == state->nodes.end() || node->second.generation != generation) return;
    if (!node->second.peers.contains(envelope.to)) {
      ++state->counters.unreachable;
      return;
    }
    SPILLWAY_ASSERT(envelope.from == id);
    state->send(envelope);
  };
  auto change = [state, id, generation](Transport::Receiver* receiver, const core::NodeId* peer, bool stop) {
    const auto node = state->nodes.find(id);
    if (node == state->nodes.end() || node->second.generation != generation) return;
    if (receiver != nullptr) node->second.receiver = std::move(*receiver);
    if (peer != nullptr) node->second.peers.insert(*peer);
    if (stop) state->nodes.erase(node);
  };
  return std::make_unique<MemoryTransport>(std::move(send), std::move(change));
}

std::unique_ptr<ClientListener> MemoryNetwork::attach_listener(core::NodeId id) {
  auto* state = state_.get();
  const auto generation = state->next_generation++;
  state->listeners[id] = {generation, {}};
  auto set = [state, id, generation](ClientListener::Callbacks* callbacks) {
    const auto listener = state->listeners.find(id);
    if (listener == state->listeners.end() || listener->second.generation != generation) return;
    if (callbacks != nullptr) {
      listener->second.callbacks = std::move(*callbacks);
      return;
    }
    state->listeners.erase(listener);
    for (auto& [ref, client] : state->clients) {
      if (client.node == id && client.seen && client.listener_generation == generation)
        state->end_client(ref, "the router is gone", false, true);
    }
  };
  auto known = [state, generation](ClientRef ref) {
    const auto client = state->clients.find(ref.value);
    return client != state->clients.end() && client->second.listener_generation == generation && !client->second.ending;
  };
  auto send = [state, known](ClientRef ref, const core::ClientMessagePtr& message) {
    if (!known(ref)) return false;
    state->client_down(ref.value, message);
    return true;
  };
  auto close = [state, known](ClientRef ref, std::string_view reason) {
    if (known(ref)) state->end_client(ref.value, std::string(reason), true, true);
  };
  return std::make_unique<MemoryListener>(std::move(set), std::move(send), std::move(close));
}

std::unique_ptr<ClientConnection> MemoryNetwork::connect_client(core::NodeId node, ClientConnectionOptions options,
                                                                ClientConnection::Callbacks callbacks) {
  auto* state = state_.get();
  const auto ref = state->next_client++;
  auto& client = state->clients[ref];
  client.node = node;
  client.callbacks = std::move(callbacks);
  state->client_up(ref, options.hello);
  auto send = [state, ref](core::ClientMessage&& message) {
    const auto found = state->clients.find(ref);
    if (found == state->clients.end() || found->second.ending) return false;
    state->client_up(ref, std::move(message));
    return true;
  };
  auto close = [state, ref] {
    const auto found = state->clients.find(ref);
    if (found == state->clients.end()) return;
    found->second.callbacks = {};
    state->end_client(ref, "the client closed the connection", true, false);
  };
  return std::make_unique<MemoryConnection>(std::move(send), std::move(close));
}

void MemoryNetwork::break_clients(core::NodeId node) {
  for (auto& [ref, client] : state_->clients) {
    if (client.node == node) state_->end_client(ref, "the connection broke", true, true);
  }
}

std::size_t MemoryNetwork::deliver_due(core::Instant now) {
  SPILLWAY_ASSERT(now >= state_->now);
  std::size_t count = 0;
  while (!state_->queue.empty() && state_->queue.top().due <= now) {
    auto packet = state_->queue.top();
    state_->queue.pop();
    state_->now = std::max(state_->now, packet.due);
    packet.deliver();
    ++count;
  }
  state_->now = std::max(state_->now, now);
  return count;
}

core::Instant MemoryNetwork::next_due() const {
  return state_->queue.empty() ? core::never : state_->queue.top().due;
}
void MemoryNetwork::set_now(core::Instant now) {
  state_->now = std::max(state_->now, now);
}

void MemoryNetwork::set_faults(const LinkFaults& faults) {
  state_->options.faults = faults;
  state_->own_faults.clear();
}
void MemoryNetwork::set_faults(core::NodeId from, core::NodeId to, const LinkFaults& faults) {
  state_->own_faults[{from, to}] = faults;
}

void MemoryNetwork::set_cut(core::NodeId from, core::NodeId to, bool cut) {
  if (cut) {
    state_->cuts.insert({from, to});
  } else {
    state_->cuts.erase({from, to});
  }
}
void MemoryNetwork::isolate(core::NodeId node, bool incoming, bool outgoing) {
  if (incoming) state_->isolated_in.insert(node);
  if (outgoing) state_->isolated_out.insert(node);
}
void MemoryNetwork::heal() {
  state_->cuts.clear();
  state_->isolated_in.clear();
  state_->isolated_out.clear();
}

std::size_t MemoryNetwork::add_fault(const ScriptedFault& fault) {
  state_->scripts.push_back({fault});
  return state_->scripts.size() - 1;
}
std::uint32_t MemoryNetwork::fault_hits(std::size_t fault) const {
  return state_->scripts.at(fault).hits;
}
void MemoryNetwork::clear_faults() {
  for (auto& script : state_->scripts) script.fault.count = 0;  // the numbers stay good
}

void MemoryNetwork::capture(const EnvelopeMatch& match, std::size_t count) {
  state_->captures.push_back({match, count});
}
const std::vector<core::Envelope>& MemoryNetwork::captured() const {
  return state_->captured;
}
void MemoryNetwork::replay(const core::Envelope& envelope, core::Duration delay) {
  ++state_->counters.replayed;
  state_->schedule(state_->now + delay, [state = state_.get(), envelope] { state->deliver(envelope, true); });
}

void MemoryNetwork::set_observer(std::function<void(core::Instant, const core::Envelope&)> observer) {
  state_->observer = std::move(observer);
}
const MemoryNetworkCounters& MemoryNetwork::counters() const {
  return state_->counters;
}
std::size_t MemoryNetwork::in_flight() const {
  return state_->queue.size();
}

}  // namespace spillway::net
