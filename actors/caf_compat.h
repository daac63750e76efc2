#pragma once

// The only header that knows which CAF it is built against: 0.17.6 (Debian 12) or 1.0. Actors are written once, in the terms
// defined here.

#include <caf/all.hpp>
#include <caf/type_id.hpp>
#if CAF_MAJOR_VERSION == 0 && CAF_MINOR_VERSION == 17
#define SPILLWAY_CAF_017 1
#else
#define SPILLWAY_CAF_017 0
#include <caf/anon_mail.hpp>
#include <caf/init_global_meta_objects.hpp>
#endif

#include <chrono>
#include <utility>

#include "core/time.h"

namespace spillway::actors {

// -- Typed interfaces, written in the signature style of CAF 1.0 -----------------------------------------------------------------

#if SPILLWAY_CAF_017
template <class>
struct ToMpi;
template <class... In>
struct ToMpi<caf::result<void>(In...)> {
  using type = caf::reacts_to<In...>;
};
template <class... Signatures>
using Interface = caf::typed_actor<typename ToMpi<Signatures>::type...>;
#else
template <class... Signatures>
using Interface = caf::typed_actor<Signatures...>;
#endif
/// A handler that takes one message and answers nothing: all of ours.
template <class Message>
using Takes = caf::result<void>(Message);

// -- Sending ---------------------------------------------------------------------------------------------------------------------

template <class Self, class Dest, class Message>
void tell(Self* self, const Dest& dest, Message&& message) {
#if SPILLWAY_CAF_017
  self->send(dest, std::forward<Message>(message));
#else
  self->mail(std::forward<Message>(message)).send(dest);
#endif
}

template <class Self, class Dest, class Message>
void tell_after(Self* self, core::Duration delay, const Dest& dest, Message&& message) {
#if SPILLWAY_CAF_017
  self->delayed_send(dest, delay, std::forward<Message>(message));
#else
  self->mail(std::forward<Message>(message)).delay(delay).send(dest);
#endif
}

/// For threads that are not actors: the network loop, the thread that starts a node.
template <class Dest, class Message>
void tell_anon(const Dest& dest, Message&& message) {
#if SPILLWAY_CAF_017
  caf::anon_send(dest, std::forward<Message>(message));
#else
  caf::anon_mail(std::forward<Message>(message)).send(dest);
#endif
}

// -- State, time, message types --------------------------------------------------------------------------------------------------

template <class Self>
auto& state(Self* self) {
#if SPILLWAY_CAF_017
  return self->state;
#else
  return self->state();
#endif
}

/// Time of the actor's clock: steady in production, virtual under the test scheduler.
template <class Self>
core::Instant now(Self* self) {
  return core::Instant{std::chrono::duration_cast<core::Duration>(self->clock().now().time_since_epoch())};
}

template <class Block>
void register_types([[maybe_unused]] caf::actor_system_config& config) {
#if SPILLWAY_CAF_017
  config.add_message_types<Block>();
#else
  caf::init_global_meta_objects<Block>();
  caf::core::init_global_meta_objects();
#endif
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace spillway::actors
