#include "actors/client_gate.h"

#include "actors/caf_compat.h"

namespace spillway::actors {

namespace {

constexpr core::Duration retry_soon = std::chrono::milliseconds(500);
constexpr const char* reason = "this client has sent more than the router has come to";

/// Bytes that the sender chooses. Small fields do not count: the number of messages bounds them.
std::uint64_t bytes_of(const core::ClientMessage& message) {
  const auto* submit = std::get_if<core::Submit>(&message);
  if (submit == nullptr) return 0;
  std::uint64_t bytes = submit->model.size() + submit->text.size() + submit->traceparent.size() + submit->supersedes.size();
  bytes += submit->tokens.size() * sizeof(core::TokenId);
  for (const auto& part : submit->messages) bytes += part.role.size() + part.content.size() + sizeof part;
  for (const auto& stop : submit->stop) bytes += stop.size() + sizeof(std::string);
  for (const auto& choice : submit->resume.choices) bytes += choice.tokens.size() * sizeof(core::TokenId) + sizeof choice;
  return bytes;
}

core::OperationUpdate refused(std::uint64_t operation) {
  core::OperationUpdate update;
  update.operation = operation;
  update.done = true;
  update.code = core::Errc::queue_full;
  update.text = reason;
  update.retry_after = retry_soon;
  return update;
}

}  // namespace

ClientGate::Ticket ClientGate::enter(net::ClientRef client, const core::ClientMessage& message) {
  auto& waiting = clients_[client];
  if (!waiting) waiting = std::make_shared<Waiting>();
  const std::uint64_t bytes = bytes_of(message);
  // A cancel makes room, so it may pass where a request may not.
  const std::uint64_t beyond = std::holds_alternative<core::ClientCancel>(message) ? limits_.cancels_max : 0;
  // This thread alone adds, so what it reads can only have become less.
  const std::uint32_t messages = waiting->messages.load(std::memory_order_relaxed);
  if (messages >= limits_.messages_max + beyond) return nullptr;
  if (messages != 0 && bytes != 0 && waiting->bytes.load(std::memory_order_relaxed) + bytes > limits_.bytes_max) return nullptr;
  waiting->messages.fetch_add(1, std::memory_order_relaxed);
  waiting->bytes.fetch_add(bytes, std::memory_order_relaxed);
  return {waiting.get(), [waiting, bytes](const void*) {
            waiting->messages.fetch_sub(1, std::memory_order_relaxed);
            waiting->bytes.fetch_sub(bytes, std::memory_order_relaxed);
          }};
}

std::optional<core::ClientMessage> ClientGate::answer(const core::ClientMessage& message) {
  using Answer = std::optional<core::ClientMessage>;
  return std::visit(Overloaded{
                        [](const core::Submit& m) {
                          return Answer(core::Failed{m.request, core::Errc::queue_full, reason, retry_soon});
                        },
                        [](const core::StatusRequest& m) { return Answer(refused(m.operation)); },
                        [](const core::MoveRequest& m) { return Answer(refused(m.operation)); },
                        [](const core::DrainRequest& m) { return Answer(refused(m.operation)); },
                        [](const auto&) { return Answer(); },
                    },
                    message);
}

}  // namespace spillway::actors
