#include "core/client_messages.h"

#include <array>

namespace spillway::core {

std::string_view to_string(NodeState state) {
  switch (state) {
    case NodeState::up: return "up";
    case NodeState::suspect: return "suspect";
    case NodeState::draining: return "draining";
    case NodeState::down: return "down";
  }
  return "unknown";
}

std::string_view client_message_name(const ClientMessage& message) {
  static constexpr std::array<std::string_view, std::variant_size_v<ClientMessage>> names{
      "ClientHello",  "ServerHello", "Submit",        "Accepted",    "Delta",       "Finished",     "Failed",
      "ClientCancel", "Ping",        "StatusRequest", "StatusReply", "MoveRequest", "DrainRequest", "OperationUpdate"};
  return names[message.index()];
}

}  // namespace spillway::core
