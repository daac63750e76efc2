#pragma once

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/codec.h"
#include "net/zmq_socket.h"

namespace spillway::tests {

/// A router of the test's own making, which says only what its script answers. It dies with the object.
class ScriptedRouter {
 public:
  using Answers = std::vector<core::ClientMessage>;
  /// On the router's thread, for each message of its one client.
  using Script = std::function<Answers(const core::ClientMessage&)>;

  explicit ScriptedRouter(Script script) : script_(std::move(script)), context_(1), socket_(context_, ZMQ_ROUTER) {
    BOOST_REQUIRE(socket_.bind("tcp://127.0.0.1:*"));
    endpoint_ = socket_.last_endpoint();
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedRouter() {
    stopping_ = true;
    thread_.join();
  }
  ScriptedRouter(const ScriptedRouter&) = delete;
  ScriptedRouter& operator=(const ScriptedRouter&) = delete;

  const std::string& endpoint() const { return endpoint_; }

 private:
  void run() {
    std::vector<net::ZmqMessage> parts;
    while (!stopping_) {
      bool overlong = false;
      if (!socket_.receive(parts, 2, overlong)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      const std::string client(parts.at(0).text());
      const auto message = net::decode_client({parts.at(1).bytes(), nullptr});
      if (!message) continue;
      for (const auto& answer : script_(*message)) {
        socket_.send(core::as_bytes(client), true);
        socket_.send(core::Bytes{net::encode(answer).header});
      }
    }
  }

  Script script_;
  net::ZmqContext context_;
  net::ZmqSocket socket_;
  std::string endpoint_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace spillway::tests
