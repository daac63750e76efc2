#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "core/assert.h"
#include "net/client_connection.h"
#include "net/codec.h"
#include "net/zmq_socket.h"

namespace spillway::net {

namespace {

using core::Errc;

constexpr const char* monitor_endpoint = "inproc://monitor";
constexpr std::size_t queue_max = 16384;
constexpr std::size_t turn_messages_max = 1024;

core::Instant steady_now() {
  return core::Instant{std::chrono::duration_cast<core::Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

class ZmqClientConnection final : public ClientConnection {
 public:
  ZmqClientConnection(ClientConnectionOptions options, Callbacks callbacks)
      : options_(std::move(options)), callbacks_(std::move(callbacks)), context_(1), dealer_(context_, ZMQ_DEALER) {}
  ~ZmqClientConnection() override;

  core::Result<void> open();
  bool send(core::ClientMessage message) override;

 private:
  void run();
  void ring() const;
  void take_jobs();
  void on_monitor();
  void on_messages();
  void on_message(core::ClientMessage&& message);
  void on_full(core::Instant now);
  void on_time(core::Instant now);
  void transmit(const core::ClientMessage& message);
  void gone(Errc code, const std::string& reason);

  ClientConnectionOptions options_;
  Callbacks callbacks_;
  ZmqContext context_;
  ZmqSocket dealer_;
  ZmqSocket monitor_;
  std::mutex queue_mutex_;
  std::deque<Frames> queue_;
  int bell_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> gone_{false};
  bool greeted_ = false;  // something of the router arrived
  core::Instant heard_{};
  core::Instant beat_{};  // last sign of life that was not asked for
  std::vector<ZmqMessage> parts_;
  std::thread thread_;
};

core::Result<void> ZmqClientConnection::open() {
  constexpr int handshake_ms = 3000;
  if (!dealer_) return tl::make_unexpected(no_socket(options_.endpoint));
  dealer_.set(ZMQ_SNDHWM, static_cast<int>(queue_max));
  dealer_.set(ZMQ_RCVHWM, static_cast<int>(queue_max));  // then the router's limit decides: it is the one that must not wait
  dealer_.set(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(options_.message_bytes_max));
  dealer_.set(ZMQ_HANDSHAKE_IVL, handshake_ms);
  dealer_.set(ZMQ_RECONNECT_IVL, -1);  // a connection lives once
  if (options_.endpoint.find('[') != std::string::npos) dealer_.set(ZMQ_IPV6, 1);
  if (!options_.server_key.empty()) {
    if (options_.keys.empty()) {
      auto made = make_key_pair();
      if (!made) return tl::make_unexpected(std::move(made.error()));
      options_.keys = std::move(*made);
    }
    if (!is_key(options_.server_key) || !is_key(options_.keys.public_key) || !is_key(options_.keys.secret_key)) {
      return core::fail(Errc::bad_argument, "a CURVE key is 40 characters of Z85; check the router's key and your own");
    }
    dealer_.set_curve_client(options_.keys, options_.server_key);
  } else if (!is_loopback(options_.endpoint)) {
    return core::fail(Errc::bad_argument, options_.endpoint + " is not on loopback: give the router's public key");
  }
  constexpr int events = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                         ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
  if (zmq_socket_monitor(dealer_.get(), monitor_endpoint, events) != 0) return tl::make_unexpected(no_socket(options_.endpoint));
  monitor_ = ZmqSocket(context_, ZMQ_PAIR);
  if (!monitor_) return tl::make_unexpected(no_socket(options_.endpoint));
  if (auto done = monitor_.connect(monitor_endpoint); !done) return done;
  if (auto done = dealer_.connect(options_.endpoint); !done) return done;
  bell_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (bell_ < 0) return core::fail(Errc::io, "eventfd: out of file descriptors?");
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "spillway-client");
  return {};
}

ZmqClientConnection::~ZmqClientConnection() {
  stopping_ = true;
  if (thread_.joinable()) {
    ring();
    thread_.join();
  }
  if (bell_ >= 0) ::close(bell_);
}

void ZmqClientConnection::ring() const {
  const std::uint64_t one = 1;
  const auto written = ::write(bell_, &one, sizeof one);
  SPILLWAY_ASSERT(written == sizeof one || errno == EAGAIN);
}

bool ZmqClientConnection::send(core::ClientMessage message) {
  if (gone_) return false;
  auto frames = encode(message);
  if (frames.header.size() > options_.message_bytes_max) return false;
  bool was_empty = false;
  {
    const std::lock_guard lock(queue_mutex_);
    if (queue_.size() >= queue_max) return false;
    was_empty = queue_.empty();
    queue_.push_back(std::move(frames));
  }
  if (was_empty) ring();
  return true;
}

void ZmqClientConnection::run() {
  constexpr long tick_ms = 100;
  constexpr long full_tick_ms = 5;
  heard_ = steady_now();
  transmit(options_.hello);
  while (!stopping_ && !gone_) {
    const bool full = greeted_ && callbacks_.full && callbacks_.full();
    std::array<zmq_pollitem_t, 3> poll{
        {{dealer_.get(), -1, ZMQ_POLLIN, 0}, {monitor_.get(), -1, ZMQ_POLLIN, 0}, {nullptr, bell_, ZMQ_POLLIN, 0}}};
    if (full) poll[0].events = 0;
    if (zmq_poll(poll.data(), static_cast<int>(poll.size()), full ? full_tick_ms : tick_ms) < 0) SPILLWAY_ASSERT(errno == EINTR);
    if (poll[2].revents != 0) {
      std::uint64_t rings = 0;
      const auto size = ::read(bell_, &rings, sizeof rings);
      SPILLWAY_ASSERT(size == sizeof rings || errno == EAGAIN);
    }
    take_jobs();
    if (poll[0].revents != 0) on_messages();  // before the monitor: what came before the end is still told
    if (poll[1].revents != 0) on_monitor();
    if (full) {
      on_full(steady_now());
    } else {
      on_time(steady_now());
    }
  }
  zmq_socket_monitor(dealer_.get(), nullptr, 0);
  dealer_.close();
  monitor_.close();
}

void ZmqClientConnection::take_jobs() {
  std::deque<Frames> taken;
  {
    const std::lock_guard lock(queue_mutex_);
    taken.swap(queue_);
  }
  for (const auto& frames : taken) {
    if (gone_) return;
    if (dealer_.send(frames) != SendResult::sent) gone(Errc::unavailable, "the router does not take what it is sent");
  }
}

void ZmqClientConnection::transmit(const core::ClientMessage& message) {
  if (dealer_.send(encode(message)) != SendResult::sent) gone(Errc::unavailable, "the router does not take what it is sent");
}

void ZmqClientConnection::on_messages() {
  bool overlong = false;
  for (std::size_t i = 0; i < turn_messages_max && !gone_ && !stopping_; ++i) {
    if (!dealer_.receive(parts_, 1, overlong)) return;
    heard_ = steady_now();
    greeted_ = true;
    auto message = decode_client({parts_[0].bytes(), nullptr}, {.header_bytes_max = options_.message_bytes_max, .payload_bytes_max = 0});
    if (!message || overlong)
      return gone(message ? Errc::bad_frame : message.error().code, message ? "a message of several frames" : message.error().message);
    on_message(std::move(*message));
  }
}

void ZmqClientConnection::on_message(core::ClientMessage&& message) {
  if (const auto* ping = std::get_if<core::Ping>(&message)) {
    if (!ping->answer) transmit(core::Ping{ping->number, true});
    return;
  }
  std::optional<core::Error> refused;
  if (const auto* failed = std::get_if<core::Failed>(&message); failed != nullptr && !failed->request) {
    refused = core::Error{failed->code, failed->reason, failed->retry_after};
  }
  if (callbacks_.on_message) callbacks_.on_message(std::move(message));
  if (refused) gone(refused->code, refused->message);
}

void ZmqClientConnection::on_monitor() {
  bool overlong = false;
  std::vector<ZmqMessage> parts;
  while (!gone_ && monitor_.receive(parts, 2, overlong)) {
    std::uint16_t event = 0;
    if (parts[0].bytes().size() < sizeof event) continue;
    std::memcpy(&event, parts[0].bytes().data(), sizeof event);
    on_messages();  // what arrived before the end
    switch (event) {
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return gone(Errc::unauthorized, "the router at " + options_.endpoint + " does not accept this key");
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return gone(Errc::unavailable, "no handshake with " + options_.endpoint + ": is it a router's client port, and its key right?");
      case ZMQ_EVENT_CLOSED:
      case ZMQ_EVENT_CONNECT_RETRIED:
        if (!greeted_) return gone(Errc::unavailable, "nobody listens at " + options_.endpoint);
        break;
      default:
        // A refused key may show as a mere end: the refusal and the end race within libzmq.
        return gone(Errc::unavailable, greeted_ ? "the connection to " + options_.endpoint + " is lost"
                                                : options_.endpoint +
                                                      " closed the connection before it answered: is it a router's client port, "
                                                      "and is your key in the cluster file?");
    }
  }
}

/// The router's pings are not read, so it is told unasked; and its silence is of our making.
void ZmqClientConnection::on_full(core::Instant now) {
  constexpr auto interval = std::chrono::milliseconds(20);  // below the smallest client_silence_max
  heard_ = now;
  if (gone_ || now - beat_ < interval) return;
  beat_ = now;
  transmit(core::Ping{0, true});
}

void ZmqClientConnection::on_time(core::Instant now) {
  if (gone_) return;
  const auto limit = greeted_ ? options_.silence_max : options_.connect_max;
  if (now - heard_ <= limit) return;
  const auto ms = std::to_string(static_cast<int>(core::to_ms(limit)));
  gone(Errc::timeout,
       greeted_ ? options_.endpoint + " is silent for " + ms + " ms" : "no answer from " + options_.endpoint + " in " + ms + " ms");
}

void ZmqClientConnection::gone(Errc code, const std::string& reason) {
  if (gone_.exchange(true)) return;
  if (callbacks_.on_gone && !stopping_) callbacks_.on_gone(core::Error{code, reason, core::Duration{0}});
}

}  // namespace

core::Result<std::unique_ptr<ClientConnection>> connect_client(ClientConnectionOptions options, ClientConnection::Callbacks callbacks) {
  auto connection = std::make_unique<ZmqClientConnection>(std::move(options), std::move(callbacks));
  if (auto opened = connection->open(); !opened) return tl::make_unexpected(std::move(opened.error()));
  return std::unique_ptr<ClientConnection>(std::move(connection));
}

}  // namespace spillway::net
