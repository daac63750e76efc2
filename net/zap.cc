#include "net/zap.h"

#include "core/assert.h"

namespace spillway::net {

namespace {
// Frames of a request: version, request id, domain, address, routing id, mechanism, credentials.
constexpr std::size_t domain_part = 2;
constexpr std::size_t address_part = 3;
constexpr std::size_t mechanism_part = 5;
constexpr std::size_t key_part = 6;
constexpr std::size_t request_parts = 7;
constexpr int turns_max = 64;  // a flood of connections must not hold up the loop
}  // namespace

Zap::Zap(const ZmqContext& context, Decide decide) : socket_(context, ZMQ_REP), decide_(std::move(decide)) {
  if (socket_) SPILLWAY_ASSERT(socket_.bind("inproc://zeromq.zap.01"));
}

void Zap::on_readable() {
  bool overlong = false;
  for (int turn = 0; turn < turns_max && socket_.receive(parts_, request_parts, overlong); ++turn) {
    std::string user;
    const bool asks_for_curve = parts_.size() == request_parts && parts_[mechanism_part].text() == "CURVE";
    if (asks_for_curve) user = decide_(parts_[domain_part].text(), encode_key(parts_[key_part].text()), parts_[address_part].text());
    const auto request_id = parts_.size() > 1 ? std::string(parts_[1].text()) : std::string();
    const bool allowed = !user.empty();
    for (const std::string_view part : {std::string_view("1.0"), std::string_view(request_id), std::string_view(allowed ? "200" : "400"),
                                        std::string_view(allowed ? "OK" : "key not allowed"), std::string_view(user)}) {
      socket_.send(core::as_bytes(part), true);
    }
    socket_.send({}, false);  // no metadata
  }
}

}  // namespace spillway::net
