#pragma once

#include <zmq.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "net/codec.h"
#include "net/curve.h"

/// Thin owners of libzmq's handles, without exceptions. One thread uses a socket.
namespace spillway::net {

class ZmqContext {
 public:
  explicit ZmqContext(int io_threads);
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* get() const { return handle_; }

 private:
  void* handle_;
};

/// One received frame.
class ZmqMessage {
 public:
  ZmqMessage() { zmq_msg_init(&message_); }
  ~ZmqMessage() { zmq_msg_close(&message_); }
  ZmqMessage(ZmqMessage&& other) noexcept : ZmqMessage() { zmq_msg_move(&message_, &other.message_); }
  ZmqMessage& operator=(ZmqMessage&& other) noexcept {
    zmq_msg_move(&message_, &other.message_);
    return *this;
  }

  core::Bytes bytes() const;
  std::string_view text() const { return core::as_text(bytes()); }
  /// What the ZAP reply said, "" without CURVE.
  std::string user_id() const { return property("User-Id"); }
  /// Address of the other side without its port, "" when unknown.
  std::string peer_address() const { return property("Peer-Address"); }
  bool more() const { return zmq_msg_more(&message_) != 0; }
  zmq_msg_t* raw() { return &message_; }

 private:
  std::string property(const char* name) const;

  zmq_msg_t message_;
};

enum class SendResult { sent, full, unreachable };

class ZmqSocket {
 public:
  ZmqSocket() = default;
  /// Linger 0. Empty when the process has no descriptor left for it, with errno saying so: try again later.
  ZmqSocket(const ZmqContext& context, int type);
  ~ZmqSocket() { close(); }
  ZmqSocket(ZmqSocket&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ZmqSocket& operator=(ZmqSocket&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }

  void close();
  explicit operator bool() const { return handle_ != nullptr; }
  void* get() const { return handle_; }

  void set(int option, int value);
  void set(int option, std::int64_t value);
  void set(int option, std::uint64_t value);
  void set(int option, std::string_view value);
  void set_curve_server(const KeyPair& keys, std::string_view zap_domain);
  void set_curve_client(const KeyPair& keys, const std::string& server_key);

  /// Error: io or bad_argument, with the endpoint and the fix.
  core::Result<void> bind(const std::string& endpoint);
  core::Result<void> connect(const std::string& endpoint);
  std::string last_endpoint() const;

  /// Never block. A multipart message goes whole or not at all.
  SendResult send(core::Bytes bytes, bool more = false);
  /// Header frame, and the payload frame without a copy.
  SendResult send(const Frames& frames);

  /// Reads one whole message without blocking: false when there is none. Frames beyond `parts_max` are read and thrown away, and
  /// `overlong` says so.
  bool receive(std::vector<ZmqMessage>& parts, std::size_t parts_max, bool& overlong);

 private:
  void* handle_ = nullptr;
};

/// Why a new socket is empty; right after it was made.
core::Error no_socket(const std::string& endpoint);

/// Whether an endpoint stays on this machine. Only such ones may go without CURVE.
bool is_loopback(std::string_view endpoint);

}  // namespace spillway::net
