#include "core/messages.h"

namespace spillway::core {

namespace {

constexpr std::array<MessageTraits, message_types> all_traits{{
    {"Run", Lane::control, Part::batcher},         {"RunAccepted", Lane::control, Part::router},
    {"RunRefused", Lane::control, Part::router},   {"RunReturned", Lane::token, Part::router},
    {"CancelRun", Lane::control, Part::batcher},   {"BlockNames", Lane::control, Part::batcher},
    {"Tokens", Lane::token, Part::router},         {"Move", Lane::control, Part::cache},
    {"MoveFailed", Lane::control, Part::router},   {"Release", Lane::control, Part::cache},
    {"MoveReport", Lane::control, Part::router},   {"AskOwner", Lane::token, Part::router},
    {"StillYours", Lane::control, Part::cache},    {"Gone", Lane::control, Part::cache},
    {"Offer", Lane::control, Part::cache},         {"OfferReply", Lane::control, Part::cache},
    {"PageFrame", Lane::bulk, Part::cache},        {"MissingPages", Lane::control, Part::cache},
    {"Handoff", Lane::control, Part::cache},       {"HandoffReply", Lane::control, Part::cache},
    {"TransferAbort", Lane::control, Part::cache}, {"Report", Lane::control, Part::router},
    {"Announce", Lane::control, Part::router},     {"Drain", Lane::control, Part::node},
    {"OperatorMove", Lane::control, Part::router}, {"OperatorMoveDone", Lane::control, Part::router},
    {"StatusAsk", Lane::control, Part::router},    {"StatusPart", Lane::control, Part::router},
    {"QuotaAsk", Lane::control, Part::router},     {"QuotaReply", Lane::control, Part::router},
    {"RunHeld", Lane::token, Part::router},
}};

}  // namespace

const MessageTraits& traits(const Message& message) {
  return all_traits[message.index()];
}

const MessageTraits* traits(std::size_t type_number) {
  return type_number < all_traits.size() ? &all_traits[type_number] : nullptr;
}

}  // namespace spillway::core
