#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "net/zmq_socket.h"

namespace spillway::net {

/// Answers libzmq's question who may connect (ZAP 1.0, rfc.zeromq.org/spec/27), for all CURVE sockets of one context. Must be made
/// before they bind.
class Zap {
 public:
  /// Nothing: refused. Otherwise the user id that rides on every message of the connection.
  using Decide = std::function<std::string(std::string_view domain, const std::string& public_key, std::string_view address)>;

  /// Without a handle when the process has no descriptor left for its socket: then nothing of the context may be opened.
  Zap(const ZmqContext& context, Decide decide);
  void* handle() const { return socket_.get(); }
  /// Answers all that asks now.
  void on_readable();

 private:
  ZmqSocket socket_;
  Decide decide_;
  std::vector<ZmqMessage> parts_;
};

}  // namespace spillway::net
