#include "net/zmq_clients.h"

#include <algorithm>

#include "core/log.h"

namespace spillway::net {

namespace {

constexpr std::string_view default_tenant = "default";

/// Compares in a time that does not depend on where the texts differ.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char differing = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differing = differing | static_cast<unsigned char>(a[i] ^ b[i]);
  return differing == 0;
}

}  // namespace

ZmqClients::ZmqClients(const ZmqLoopOptions& options, ZmqSocket router, Count count)
    : options_(options), router_(std::move(router)), count_(std::move(count)) {}

bool ZmqClients::knows(ClientRef client) const {
  const std::lock_guard lock(known_mutex_);
  return known_.contains(client.value);
}

bool ZmqClients::on_readable(std::size_t messages_max, core::Instant now) {
  constexpr std::size_t parts_max = 2;  // routing id, message
  bool overlong = false;
  for (std::size_t i = 0; i < messages_max; ++i) {
    if (!router_.receive(parts_, parts_max, overlong)) return true;
    if (overlong || parts_.size() != parts_max) {
      count_(&ZmqCounters::bad_frames);
      continue;
    }
    on_parts(now);
  }
  return false;
}

void ZmqClients::on_parts(core::Instant now) {
  const auto routing_id = std::string(parts_[0].text());
  const auto user = parts_[1].user_id();
  const auto found = by_routing_id_.find(routing_id);
  // The routing id is the connection's; another key under it means that the old connection is no more.
  if (found != by_routing_id_.end() && clients_.at(found->second).user != user)
    gone(ClientRef{found->second}, "the connection was replaced");
  const auto known = by_routing_id_.find(routing_id);
  if (known != by_routing_id_.end()) clients_.at(known->second).heard = now;

  auto message = decode_client({parts_[1].bytes(), nullptr}, {.header_bytes_max = options_.message_bytes_max, .payload_bytes_max = 0});
  if (!message) {
    count_(&ZmqCounters::bad_frames);
    refuse(routing_id, message.error().code, message.error().message);
    if (known != by_routing_id_.end()) gone(ClientRef{known->second}, message.error().message);
    return;
  }
  if (known == by_routing_id_.end()) return on_stranger(routing_id, user, std::move(*message), now);
  on_client(clients_.at(known->second), std::move(*message));
}

void ZmqClients::on_stranger(const std::string& routing_id, const std::string& user, core::ClientMessage&& message, core::Instant now) {
  const auto turn_away = [&](core::Errc code, const std::string& reason) {
    count_(&ZmqCounters::clients_refused);
    refuse(routing_id, code, reason);
  };
  auto* hello = std::get_if<core::ClientHello>(&message);
  if (hello == nullptr) return turn_away(core::Errc::unavailable, "this router does not know the connection (any more): connect again");
  if (hello->version != core::protocol_version) {
    return turn_away(core::Errc::incompatible, "the client speaks protocol version " + std::to_string(hello->version) +
                                                   ", this router speaks version " + std::to_string(core::protocol_version));
  }
  if (clients_.size() >= options_.clients_max) {
    return turn_away(core::Errc::unavailable,
                     std::to_string(options_.clients_max) + " clients are connected; limits.clients_max allows no more");
  }
  auto identity = identify(*hello, user);
  if (!identity) return turn_away(identity.error().code, identity.error().message);
  if (!callbacks_.with([](const auto& callbacks) { return static_cast<bool>(callbacks.on_message); })) {
    return turn_away(core::Errc::unavailable, "this node does not serve clients now");
  }
  hello->token.clear();
  const ClientRef ref{next_ref_++};
  clients_[ref.value] = {ref, routing_id, user, std::move(*identity), now};
  by_routing_id_[routing_id] = ref.value;
  {
    const std::lock_guard lock(known_mutex_);
    known_.insert(ref.value);
  }
  count_(&ZmqCounters::clients_seen);
  deliver(clients_.at(ref.value), std::move(message));
}

void ZmqClients::on_client(Client& client, core::ClientMessage&& message) {
  if (const auto* ping = std::get_if<core::Ping>(&message)) {
    if (ping->answer) return;
    const auto ref = client.ref;
    return send(ref, encode(core::ClientMessage(core::Ping{ping->number, true})));
  }
  if (std::holds_alternative<core::ClientHello>(message)) return;  // said already
  deliver(client, std::move(message));
}

core::Result<ClientIdentity> ZmqClients::identify(const core::ClientHello& hello, const std::string& user) const {
  ClientRights rights{"loopback", {}, true};
  const auto by_key = user.starts_with(user_prefix) ? options_.clients.find(user.substr(user_prefix.size())) : options_.clients.end();
  if (!hello.token.empty()) {
    const auto token = std::find_if(options_.tokens.begin(), options_.tokens.end(),
                                    [&](const auto& entry) { return same_secret(entry.first, hello.token); });
    if (token == options_.tokens.end()) return core::fail(core::Errc::unauthorized, "the token is none of this cluster");
    rights = token->second;
  } else if (by_key != options_.clients.end()) {
    rights = by_key->second;
  } else if (!options_.keys.empty()) {
    return core::fail(core::Errc::unauthorized, "the client's key is none of this cluster and it gave no token");
  }
  if (rights.tenants.empty()) {
    return ClientIdentity{rights.name, hello.tenant.empty() ? std::string(default_tenant) : hello.tenant, rights.operator_rights};
  }
  const auto& wished = hello.tenant.empty() ? rights.tenants.front() : hello.tenant;
  if (std::find(rights.tenants.begin(), rights.tenants.end(), wished) == rights.tenants.end()) {
    return core::fail(core::Errc::unauthorized, "\"" + rights.name + "\" may not act for tenant \"" + wished + "\"");
  }
  return ClientIdentity{rights.name, wished, rights.operator_rights};
}

void ZmqClients::deliver(const Client& client, core::ClientMessage&& message) {
  count_(&ZmqCounters::client_messages_in);
  callbacks_.with([&](const auto& callbacks) {
    if (callbacks.on_message) callbacks.on_message(client.ref, client.identity, std::move(message));
  });
}

void ZmqClients::refuse(const std::string& routing_id, core::Errc code, const std::string& reason) {
  send_to(routing_id, encode(core::ClientMessage(core::Failed{{}, code, reason, core::Duration{0}})));
}

SendResult ZmqClients::send_to(const std::string& routing_id, const Frames& frames) {
  const auto addressed = router_.send(core::as_bytes(routing_id), true);
  return addressed == SendResult::sent ? router_.send(frames) : addressed;
}

void ZmqClients::send(ClientRef client, const Frames& frames) {
  const auto found = clients_.find(client.value);
  if (found == clients_.end()) return;
  switch (send_to(found->second.routing_id, frames)) {
    case SendResult::sent: return count_(&ZmqCounters::client_messages_out);
    case SendResult::full: return gone(client, "the client does not read what it is sent");
    case SendResult::unreachable: return gone(client, "the connection is gone");
  }
}

void ZmqClients::close(ClientRef client, std::string_view reason) {
  const auto found = clients_.find(client.value);
  if (found == clients_.end()) return;
  refuse(found->second.routing_id, core::Errc::unavailable, std::string(reason));
  gone(client, reason);
}

void ZmqClients::gone(ClientRef client, std::string_view reason) {
  const auto found = clients_.find(client.value);
  if (found == clients_.end()) return;
  by_routing_id_.erase(found->second.routing_id);
  clients_.erase(found);
  {
    const std::lock_guard lock(known_mutex_);
    known_.erase(client.value);
  }
  count_(&ZmqCounters::clients_gone);
  core::log_debug("client " + std::to_string(client.value) + " is gone: " + std::string(reason));
  callbacks_.with([&](const auto& callbacks) {
    if (callbacks.on_gone) callbacks.on_gone(client, reason);
  });
}

void ZmqClients::on_tick(core::Instant now) {
  if (now < next_ping_) return;
  next_ping_ = now + options_.client_ping_interval;
  if (clients_.empty()) return;
  const auto ping = encode(core::ClientMessage(core::Ping{next_ping_number_++, false}));
  // By client_silence_max its blocks are to be free, so it is given up earlier: by the time that noticing and freeing take.
  const auto silence_max = std::max(options_.client_silence_max * 9 / 10 - options_.client_ping_interval, options_.client_silence_max / 2);
  std::vector<ClientRef> all;
  all.reserve(clients_.size());
  for (const auto& [ref, client] : clients_) all.push_back(client.ref);
  for (const auto ref : all) {
    // Sending to a connection that is closed fails at once: so a killed client is found. A stopped or cut-off one only falls silent.
    send(ref, ping);
    const auto found = clients_.find(ref.value);
    if (found == clients_.end() || now - found->second.heard <= silence_max) continue;
    close(ref, "silent for more than " + std::to_string(static_cast<int>(core::to_ms(silence_max))) + " ms");
  }
}

}  // namespace spillway::net
