#include "net/zmq_socket.h"

#include <array>
#include <atomic>
#include <cerrno>

#include "core/assert.h"

namespace spillway::net {

namespace {

/// Keeps page bytes alive until libzmq has written them.
struct Kept {
  core::SharedBytes bytes;
  // libzmq hands the pointer to its I/O thread by ways that a sanitizer cannot see; this says the same in C++.
  std::atomic<bool> handed_over{false};
};

void release_kept(void*, void* hint) {
  auto* kept = static_cast<Kept*>(hint);
  SPILLWAY_ASSERT(kept->handed_over.load(std::memory_order_acquire));
  delete kept;
}

SendResult result_of_errno() {
  if (errno == EHOSTUNREACH) return SendResult::unreachable;
  SPILLWAY_ASSERT(errno == EAGAIN || errno == EINTR || errno == ETERM);
  return SendResult::full;
}

}  // namespace

ZmqContext::ZmqContext(int io_threads) : handle_(zmq_ctx_new()) {
  SPILLWAY_ASSERT(handle_ != nullptr);
  zmq_ctx_set(handle_, ZMQ_IO_THREADS, io_threads);
  zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, 8192);
}
ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(handle_) != 0 && errno == EINTR) {
  }
}

core::Bytes ZmqMessage::bytes() const {
  auto* message = const_cast<zmq_msg_t*>(&message_);  // zmq_msg_data has no const form; nothing is changed
  return {static_cast<const std::byte*>(zmq_msg_data(message)), zmq_msg_size(message)};
}

std::string ZmqMessage::property(const char* name) const {
  const char* value = zmq_msg_gets(&message_, name);
  return value == nullptr ? std::string() : std::string(value);
}

ZmqSocket::ZmqSocket(const ZmqContext& context, int type) : handle_(zmq_socket(context.get(), type)) {
  if (handle_ != nullptr) set(ZMQ_LINGER, 0);
}

void ZmqSocket::close() {
  if (handle_ != nullptr) zmq_close(std::exchange(handle_, nullptr));
}

void ZmqSocket::set(int option, int value) {
  SPILLWAY_ASSERT(zmq_setsockopt(handle_, option, &value, sizeof value) == 0);
}
void ZmqSocket::set(int option, std::int64_t value) {
  SPILLWAY_ASSERT(zmq_setsockopt(handle_, option, &value, sizeof value) == 0);
}
void ZmqSocket::set(int option, std::uint64_t value) {
  SPILLWAY_ASSERT(zmq_setsockopt(handle_, option, &value, sizeof value) == 0);
}
void ZmqSocket::set(int option, std::string_view value) {
  SPILLWAY_ASSERT(zmq_setsockopt(handle_, option, value.data(), value.size()) == 0);
}

void ZmqSocket::set_curve_server(const KeyPair& keys, std::string_view zap_domain) {
  set(ZMQ_CURVE_SERVER, 1);
  set(ZMQ_CURVE_SECRETKEY, keys.secret_key);
  set(ZMQ_ZAP_DOMAIN, zap_domain);
}
void ZmqSocket::set_curve_client(const KeyPair& keys, const std::string& server_key) {
  set(ZMQ_CURVE_SERVERKEY, server_key);
  set(ZMQ_CURVE_PUBLICKEY, keys.public_key);
  set(ZMQ_CURVE_SECRETKEY, keys.secret_key);
}

core::Result<void> ZmqSocket::bind(const std::string& endpoint) {
  if (zmq_bind(handle_, endpoint.c_str()) == 0) return {};
  const auto code = errno == EADDRINUSE || errno == EADDRNOTAVAIL || errno == EACCES ? core::Errc::io : core::Errc::bad_argument;
  const auto fix = errno == EADDRINUSE ? "; is another process running on this port?" : "; want tcp://ADDRESS:PORT of this machine";
  return core::fail(code, "cannot listen on " + endpoint + ": " + zmq_strerror(errno) + fix);
}

core::Result<void> ZmqSocket::connect(const std::string& endpoint) {
  if (zmq_connect(handle_, endpoint.c_str()) == 0) return {};
  return core::fail(core::Errc::bad_argument, "cannot connect to " + endpoint + ": " + zmq_strerror(errno) + "; want tcp://ADDRESS:PORT");
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, 512> text{};
  auto size = text.size();
  if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0) return {};
  return text.data();
}

SendResult ZmqSocket::send(core::Bytes bytes, bool more) {
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  return zmq_send(handle_, bytes.data(), bytes.size(), flags) >= 0 ? SendResult::sent : result_of_errno();
}

SendResult ZmqSocket::send(const Frames& frames) {
  const auto header = send(frames.header, frames.payload != nullptr);
  if (header != SendResult::sent || !frames.payload) return header;
  auto* kept = new Kept{frames.payload};
  const auto view = frames.payload_view();
  zmq_msg_t message;
  // libzmq takes a pointer to non-const but only reads it.
  auto* data = const_cast<std::byte*>(view.data());
  kept->handed_over.store(true, std::memory_order_release);
  SPILLWAY_ASSERT(zmq_msg_init_data(&message, data, view.size(), release_kept, kept) == 0);
  // Once the first part is taken the others are, too: the high-water mark counts whole messages.
  const bool sent = zmq_msg_send(&message, handle_, ZMQ_DONTWAIT) >= 0;
  if (!sent) zmq_msg_close(&message);
  return sent ? SendResult::sent : result_of_errno();
}

bool ZmqSocket::receive(std::vector<ZmqMessage>& parts, std::size_t parts_max, bool& overlong) {
  parts.clear();
  overlong = false;
  ZmqMessage part;
  if (zmq_msg_recv(part.raw(), handle_, ZMQ_DONTWAIT) < 0) return false;
  bool more = part.more();
  parts.push_back(std::move(part));
  while (more) {
    ZmqMessage next;
    if (zmq_msg_recv(next.raw(), handle_, ZMQ_DONTWAIT) < 0) return false;
    more = next.more();
    if (parts.size() < parts_max) {
      parts.push_back(std::move(next));
    } else {
      overlong = true;
    }
  }
  return true;
}

core::Error no_socket(const std::string& endpoint) {
  return {core::Errc::io, "no socket for " + endpoint + ": " + zmq_strerror(errno) + "; raise the limit of open files (ulimit -n)", {}};
}

bool is_loopback(std::string_view endpoint) {
  if (endpoint.starts_with("ipc://") || endpoint.starts_with("inproc://")) return true;
  constexpr std::string_view tcp = "tcp://";
  if (!endpoint.starts_with(tcp)) return false;
  const auto host = endpoint.substr(tcp.size(), endpoint.rfind(':') - tcp.size());
  return host == "localhost" || host == "[::1]" || (host.starts_with("127.") && host.find_first_not_of("0123456789.") == host.npos);
}

}  // namespace spillway::net
