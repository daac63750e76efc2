#include "net/zmq_loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <optional>
#include <set>
#include <thread>
#include <variant>

#include "core/assert.h"
#include "core/log.h"
#include "net/zap.h"
#include "net/zmq_clients.h"
#include "net/zmq_socket.h"

namespace spillway::net {

namespace {

using core::Lane;

constexpr std::size_t lanes = 3;
// Bulk has an I/O thread of its own, so that its reads and writes never stand before those of the other lanes.
constexpr int io_threads = 2;
constexpr std::uint64_t quick_io = 1U << 0;
constexpr std::uint64_t bulk_io = 1U << 1;
// Messages taken from one socket before the others have their turn.
constexpr std::array<std::size_t, lanes> turn_messages_max{256, 256, 32};
constexpr std::size_t turn_client_messages_max = 256;
constexpr std::size_t logged_addresses_max = 1024;
constexpr std::string_view node_user_prefix = "n:";

std::size_t index(Lane lane) {
  return static_cast<std::size_t>(lane);
}

core::Instant steady_now() {
  return core::Instant{std::chrono::duration_cast<core::Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

struct SendJob {
  core::NodeId to;
  Lane lane;
  Frames frames;
};
struct PeerJob {
  core::NodeId peer;
  PeerAddress address;
};
struct ClientJob {
  ClientRef client;
  Frames frames;
};
struct CloseJob {
  ClientRef client;
  std::string reason;
};
using Job = std::variant<SendJob, PeerJob, ClientJob, CloseJob>;

struct Peer {
  PeerAddress address;
  std::array<ZmqSocket, lanes> sockets;
  std::array<std::optional<core::Instant>, lanes> full_since;
};

}  // namespace

struct ZmqLoop::Impl {
  /// What actors see of the loop: one side to other nodes, one to clients. Each can be stopped alone.
  struct LinkSide final : Transport {
    explicit LinkSide(Impl& loop) : loop_(loop) {}
    void send(core::Envelope envelope) override {
      if (!stopped_) loop_.send(envelope);
    }
    void set_receiver(Receiver receiver) override { loop_.receiver.set(std::move(receiver)); }
    void set_peer(core::NodeId peer, PeerAddress address) override { loop_.push(PeerJob{peer, std::move(address)}); }
    void stop() override {
      stopped_ = true;
      loop_.receiver.set({});
    }

   private:
    Impl& loop_;
    std::atomic<bool> stopped_{false};
  };
  struct ClientSide final : ClientListener {
    explicit ClientSide(Impl& loop) : loop_(loop) {}
    bool send(ClientRef client, core::ClientMessagePtr message) override { return !stopped_ && loop_.send(client, *message); }
    void set_callbacks(Callbacks callbacks) override {
      if (loop_.clients) loop_.clients->callbacks().set(std::move(callbacks));
    }
    void close(ClientRef client, std::string_view reason) override { loop_.push(CloseJob{client, std::string(reason)}); }
    void stop() override {
      stopped_ = true;
      set_callbacks({});
    }

   private:
    Impl& loop_;
    std::atomic<bool> stopped_{false};
  };

  explicit Impl(ZmqLoopOptions given) : options(std::move(given)) {}
  ~Impl() {
    end();
    if (bell >= 0) ::close(bell);
  }

  core::Result<void> open();
  core::Result<void> bind_lane(Lane lane);
  core::Result<void> bind_clients();
  core::Result<void> check_options() const;
  std::string decide(std::string_view domain, const std::string& key, std::string_view address);

  // Any thread.
  void send(const core::Envelope& envelope);
  bool send(ClientRef client, const core::ClientMessage& message);
  void count(std::uint64_t ZmqCounters::*field) {
    const std::lock_guard lock(counters_mutex);
    ++(counters.*field);
  }
  /// False when the queue is full; `always` takes it nevertheless.
  bool push(Job job, bool always = true);
  void ring() const;
  void end();

  // The loop's thread.
  void run();
  void take_jobs();
  void perform(SendJob& job);
  void perform(PeerJob& job);
  void perform(ClientJob& job) {
    if (clients) clients->send(job.client, job.frames);
  }
  void perform(CloseJob& job) {
    if (clients) clients->close(job.client, job.reason);
  }
  ZmqSocket connect_lane(const PeerAddress& address, Lane lane);
  void read_lane(Lane lane);
  void on_parts(Lane lane);
  void warn_once(const std::string& key, const std::string& text);
  int poll_timeout_ms() const;

  ZmqLoopOptions options;
  // The context goes last: it waits until all sockets are closed.
  std::optional<ZmqContext> context;
  std::optional<Zap> zap;
  std::array<ZmqSocket, lanes> routers;
  std::unique_ptr<ZmqClients> clients;
  std::map<core::NodeId, Peer> peers;
  std::set<std::string> warned;
  std::vector<ZmqMessage> parts;
  PeerAddress bound;
  std::string client_bound;

  LinkSide link_side{*this};
  ClientSide client_side{*this};
  Slot<Transport::Receiver> receiver;
  std::mutex queue_mutex;
  std::deque<Job> queue;
  int bell = -1;
  std::atomic<bool> stopping{false};
  std::mutex counters_mutex;
  ZmqCounters counters;
  std::thread thread;
};

// -- opening

core::Result<void> ZmqLoop::Impl::check_options() const {
  const auto curve = !options.keys.empty();
  if (curve && (!is_key(options.keys.public_key) || !is_key(options.keys.secret_key))) {
    return core::fail(core::Errc::bad_argument, "the node's key pair is no CURVE key pair; make one with `spillway keys`");
  }
  for (const auto& endpoint : {options.bind[0], options.bind[1], options.bind[2], options.client_bind}) {
    if (endpoint.empty() || curve || is_loopback(endpoint)) continue;
    return core::fail(core::Errc::unauthorized, endpoint +
                                                    " is not on loopback and the node has no key: CURVE is required there; make keys "
                                                    "with `spillway keys` or listen on 127.0.0.1");
  }
  return {};
}

core::Result<void> ZmqLoop::Impl::open() {
  if (auto checked = check_options(); !checked) return checked;
  context.emplace(io_threads);
  if (!options.keys.empty()) {
    zap.emplace(*context, [this](auto domain, const auto& key, auto address) { return decide(domain, key, address); });
    if (zap->handle() == nullptr) return tl::make_unexpected(no_socket("the check of keys"));
  }
  for (const auto lane : {Lane::control, Lane::token, Lane::bulk}) {
    if (auto done = bind_lane(lane); !done) return done;
  }
  if (auto done = bind_clients(); !done) return done;
  bound.public_key = options.keys.public_key;
  bell = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (bell < 0) return core::fail(core::Errc::io, "eventfd: out of file descriptors?");
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "net");
  return {};
}

namespace {

/// What all listening sockets have in common.
void set_listener(ZmqSocket& socket, const std::string& endpoint, std::size_t message_bytes_max, int messages_max,
                  core::Duration silence_max) {
  constexpr int heartbeat_ms = 1000;
  constexpr int handshake_ms = 3000;
  socket.set(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(message_bytes_max));
  socket.set(ZMQ_RCVHWM, messages_max);
  socket.set(ZMQ_SNDHWM, messages_max);
  socket.set(ZMQ_HANDSHAKE_IVL, handshake_ms);
  // A peer whose machine is gone leaves no trace on the connection; libzmq's own pings find it and free the descriptor.
  socket.set(ZMQ_HEARTBEAT_IVL, heartbeat_ms);
  socket.set(ZMQ_HEARTBEAT_TIMEOUT, static_cast<int>(core::to_ms(silence_max)));
  if (endpoint.find('[') != std::string::npos) socket.set(ZMQ_IPV6, 1);
}

}  // namespace

core::Result<void> ZmqLoop::Impl::bind_lane(Lane lane) {
  const auto& endpoint = options.bind[index(lane)];
  if (endpoint.empty()) return {};
  const bool bulk = lane == Lane::bulk;
  // Peers choose no routing id: this socket never answers, and so no connection can take the place of another.
  ZmqSocket router(*context, ZMQ_ROUTER);
  if (!router) return tl::make_unexpected(no_socket(endpoint));
  router.set(ZMQ_AFFINITY, bulk ? bulk_io : quick_io);
  constexpr auto silence_max = std::chrono::seconds(3);
  set_listener(router, endpoint, std::max(options.message_bytes_max, bulk ? options.frame_bytes_max : 0),
               options.peer_messages_max[index(lane)], silence_max);
  if (!options.keys.empty()) router.set_curve_server(options.keys, "nodes");
  if (auto done = router.bind(endpoint); !done) return done;
  bound.endpoints[index(lane)] = router.last_endpoint();
  routers[index(lane)] = std::move(router);
  return {};
}

core::Result<void> ZmqLoop::Impl::bind_clients() {
  if (options.client_bind.empty()) return {};
  ZmqSocket router(*context, ZMQ_ROUTER);
  if (!router) return tl::make_unexpected(no_socket(options.client_bind));
  router.set(ZMQ_AFFINITY, quick_io);
  // Later than our own pings, which know the client and tell the router.
  const auto silence_max = options.client_silence_max + std::chrono::seconds(2);
  set_listener(router, options.client_bind, options.message_bytes_max, options.client_messages_max, silence_max);
  router.set(ZMQ_ROUTER_MANDATORY, 1);  // sending to a client that is gone is an error: that is how we know
  if (!options.keys.empty()) router.set_curve_server(options.keys, "clients");
  if (auto done = router.bind(options.client_bind); !done) return done;
  client_bound = router.last_endpoint();
  clients = std::make_unique<ZmqClients>(options, std::move(router), [this](auto field) { count(field); });
  return {};
}

std::string ZmqLoop::Impl::decide(std::string_view domain, const std::string& key, std::string_view address) {
  std::string user;
  if (domain == "nodes") {
    const auto node = options.nodes.find(key);
    if (node != options.nodes.end()) user = std::string(node_user_prefix) + std::to_string(node->second.value);
  } else if (options.clients.contains(key) || !options.tokens.empty()) {
    user = std::string(ZmqClients::user_prefix) + key;
  }
  count(user.empty() ? &ZmqCounters::keys_refused : &ZmqCounters::keys_accepted);
  if (user.empty()) {
    const auto who = domain == "nodes" ? "node" : "client";
    warn_once(std::string(domain) + std::string(address), std::string(who) + " key " + key + " from " + std::string(address) +
                                                              " refused: it is not in the cluster file (said once per address)");
  }
  return user;
}

// -- any thread

bool ZmqLoop::Impl::push(Job job, bool always) {
  bool was_empty = false;
  {
    const std::lock_guard lock(queue_mutex);
    if (!always && queue.size() >= options.queue_max) return false;
    was_empty = queue.empty();
    queue.push_back(std::move(job));
  }
  if (was_empty) ring();
  return true;
}

void ZmqLoop::Impl::ring() const {
  const std::uint64_t one = 1;
  const auto written = ::write(bell, &one, sizeof one);
  SPILLWAY_ASSERT(written == sizeof one || errno == EAGAIN);
}

void ZmqLoop::Impl::send(const core::Envelope& envelope) {
  SPILLWAY_ASSERT(envelope.from == options.self);
  SendJob job{envelope.to, envelope.lane, encode(envelope)};
  if (job.frames.header.size() > options.message_bytes_max || job.frames.payload_bytes > options.frame_bytes_max) {
    return count(&ZmqCounters::dropped_large);
  }
  if (!push(std::move(job), false)) count(&ZmqCounters::dropped_full);
}

bool ZmqLoop::Impl::send(ClientRef client, const core::ClientMessage& message) {
  if (!clients || !clients->knows(client)) return false;
  auto frames = encode(message);
  if (frames.header.size() > options.message_bytes_max) {
    count(&ZmqCounters::dropped_large);
    push(CloseJob{client, "an answer is larger than limits.message_bytes_max"});
    return false;
  }
  if (push(ClientJob{client, std::move(frames)}, false)) return true;
  count(&ZmqCounters::dropped_full);
  push(CloseJob{client, "the router has too much to send"});
  return false;
}

void ZmqLoop::Impl::end() {
  link_side.stop();
  client_side.stop();
  if (!thread.joinable()) return;
  stopping = true;
  ring();
  thread.join();
}

// -- the loop's thread

int ZmqLoop::Impl::poll_timeout_ms() const {
  constexpr int idle_ms = 1000;
  if (!clients) return idle_ms;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(clients->next_tick() - steady_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, idle_ms));
}

void ZmqLoop::Impl::run() {
  enum : std::size_t { bell_item = lanes, zap_item, client_item, items };
  while (!stopping) {
    std::array<zmq_pollitem_t, items> poll{};
    for (auto& item : poll) item = {nullptr, -1, ZMQ_POLLIN, 0};
    for (std::size_t i = 0; i < lanes; ++i) poll[i].socket = routers[i].get();
    poll[bell_item].fd = bell;
    if (zap) poll[zap_item].socket = zap->handle();
    if (clients) poll[client_item].socket = clients->socket().get();
    // An item without a socket has fd -1, which poll(2) passes over.
    if (zmq_poll(poll.data(), items, poll_timeout_ms()) < 0) SPILLWAY_ASSERT(errno == EINTR);
    if (poll[bell_item].revents != 0) {
      std::uint64_t rings = 0;
      const auto size = ::read(bell, &rings, sizeof rings);
      SPILLWAY_ASSERT(size == sizeof rings || errno == EAGAIN);
    }
    take_jobs();
    if (zap && poll[zap_item].revents != 0) zap->on_readable();
    for (const auto lane : {Lane::control, Lane::token, Lane::bulk}) {
      if (poll[index(lane)].revents != 0) read_lane(lane);
    }
    if (!clients) continue;
    const auto now = steady_now();
    if (poll[client_item].revents != 0) clients->on_readable(turn_client_messages_max, now);
    clients->on_tick(now);
  }
  // All sockets are closed by the thread that used them.
  peers.clear();
  for (auto& router : routers) router.close();
  if (clients) clients->socket().close();
  zap.reset();
}

void ZmqLoop::Impl::take_jobs() {
  std::deque<Job> taken;
  {
    const std::lock_guard lock(queue_mutex);
    taken.swap(queue);
  }
  for (auto& job : taken) std::visit([this](auto& each) { perform(each); }, job);
}

void ZmqLoop::Impl::perform(PeerJob& job) {
  auto& peer = peers[job.peer];
  if (peer.address == job.address) return;
  peer = Peer{std::move(job.address), {}, {}};
  for (const auto lane : {Lane::control, Lane::token, Lane::bulk}) peer.sockets[index(lane)] = connect_lane(peer.address, lane);
}

ZmqSocket ZmqLoop::Impl::connect_lane(const PeerAddress& address, Lane lane) {
  constexpr int reconnect_ms = 20;
  constexpr int reconnect_max_ms = 60;
  constexpr int connect_timeout_ms = 1000;
  const auto& endpoint = address.endpoints[index(lane)];
  if (endpoint.empty()) return {};
  const bool curve = !options.keys.empty();
  if (curve ? !is_key(address.public_key) : !is_loopback(endpoint)) {
    warn_once("peer" + endpoint, "no link to " + endpoint + ": off loopback both nodes need CURVE keys in the cluster file");
    return {};
  }
  ZmqSocket dealer(*context, ZMQ_DEALER);
  if (!dealer) {
    const auto why = no_socket(endpoint);
    count(&ZmqCounters::sockets_refused);
    warn_once("descriptors", why.message + "; tried again (said once)");
    return {};
  }
  dealer.set(ZMQ_AFFINITY, lane == Lane::bulk ? bulk_io : quick_io);
  dealer.set(ZMQ_SNDHWM, options.peer_messages_max[index(lane)]);
  // Nothing is kept for a peer that is not there: what is in the queue when the connection breaks belongs to a process that is
  // gone, and the link core sends again what matters.
  dealer.set(ZMQ_IMMEDIATE, 1);
  dealer.set(ZMQ_RECONNECT_IVL, reconnect_ms);
  dealer.set(ZMQ_RECONNECT_IVL_MAX, reconnect_max_ms);
  dealer.set(ZMQ_CONNECT_TIMEOUT, connect_timeout_ms);
  if (endpoint.find('[') != std::string::npos) dealer.set(ZMQ_IPV6, 1);
  if (curve) dealer.set_curve_client(options.keys, address.public_key);
  if (auto done = dealer.connect(endpoint); !done) {
    warn_once("peer" + endpoint, done.error().message);
    return {};
  }
  return dealer;
}

void ZmqLoop::Impl::perform(SendJob& job) {
  const auto found = peers.find(job.to);
  if (found == peers.end() || found->second.address.endpoints[index(job.lane)].empty()) return count(&ZmqCounters::dropped_unknown);
  auto& peer = found->second;
  auto& socket = peer.sockets[index(job.lane)];
  auto& full_since = peer.full_since[index(job.lane)];
  if (socket && socket.send(job.frames) == SendResult::sent) {
    full_since.reset();
    return count(&ZmqCounters::sent);
  }
  count(socket ? &ZmqCounters::dropped_full : &ZmqCounters::dropped_unknown);
  const auto now = steady_now();
  if (!full_since) full_since = now;
  if (now - *full_since < options.peer_reopen_after) return;
  // libzmq gives up a connection for good after some failed handshakes (another process held the port for a moment, a key that was
  // not yet known there); only a new socket tries again. And a socket may not have come about for want of descriptors.
  socket = connect_lane(peer.address, job.lane);
  full_since.reset();
  if (socket) count(&ZmqCounters::peers_reopened);
}

void ZmqLoop::Impl::read_lane(Lane lane) {
  constexpr std::size_t parts_max = 3;  // routing id, header, payload
  bool overlong = false;
  for (std::size_t i = 0; i < turn_messages_max[index(lane)]; ++i) {
    if (!routers[index(lane)].receive(parts, parts_max, overlong)) return;
    if (overlong || parts.size() < 2) {
      count(&ZmqCounters::bad_frames);
    } else {
      on_parts(lane);
    }
  }
}

void ZmqLoop::Impl::on_parts(Lane lane) {
  const auto& header = parts[1];
  ReceivedFrames frames{header.bytes(), nullptr};
  if (parts.size() == 3) {
    const auto bytes = parts[2].bytes();
    if (bytes.size() <= options.frame_bytes_max) frames.payload = core::share(core::ByteVector(bytes.begin(), bytes.end()));
    if (!frames.payload) return count(&ZmqCounters::bad_frames);
  }
  auto envelope = decode_envelope(frames, {.header_bytes_max = options.message_bytes_max, .payload_bytes_max = options.frame_bytes_max});
  if (!envelope) {
    count(&ZmqCounters::bad_frames);
    return warn_once("frame" + header.peer_address() + header.user_id(),
                     "bad frame from " + header.peer_address() + ": " + envelope.error().message + " (said once per address)");
  }
  if (!options.keys.empty() && header.user_id() != std::string(node_user_prefix) + std::to_string(envelope->from.value)) {
    count(&ZmqCounters::spoofed);
    return warn_once("spoof" + header.peer_address() + header.user_id(),
                     "envelope from " + header.peer_address() + " names a sender that its key is not (said once per address)");
  }
  if (envelope->to != options.self || envelope->lane != lane) return count(&ZmqCounters::misdirected);
  const bool heard = receiver.with([&](const Transport::Receiver& receive) {
    if (receive) receive(std::move(*envelope));
    return static_cast<bool>(receive);
  });
  count(heard ? &ZmqCounters::received : &ZmqCounters::dropped_unheard);
}

void ZmqLoop::Impl::warn_once(const std::string& key, const std::string& text) {
  if (warned.size() >= logged_addresses_max || !warned.insert(key).second) return;
  core::log_warn(text);
}

// -- the handle

core::Result<std::unique_ptr<ZmqLoop>> ZmqLoop::open(ZmqLoopOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (auto opened = impl->open(); !opened) return tl::make_unexpected(std::move(opened.error()));
  return std::unique_ptr<ZmqLoop>(new ZmqLoop(std::move(impl)));
}

ZmqLoop::ZmqLoop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ZmqLoop::~ZmqLoop() = default;
Transport& ZmqLoop::transport() {
  return impl_->link_side;
}
ClientListener& ZmqLoop::clients() {
  return impl_->client_side;
}
PeerAddress ZmqLoop::address() const {
  return impl_->bound;
}
std::string ZmqLoop::client_endpoint() const {
  return impl_->client_bound;
}
ZmqCounters ZmqLoop::counters() const {
  const std::lock_guard lock(impl_->counters_mutex);
  return impl_->counters;
}
void ZmqLoop::stop() {
  impl_->end();
}

}  // namespace spillway::net
