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
#include <exception>
#include <type_traits>
#include <utility>

#include "core/assert.h"
#include "core/time.h"

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace spillway::actors {

// -- Typed interfaces, written in the signature style of CAF 1.0 -----------------------------------------------------------------

#if SPILLWAY_CAF_017
template <class>
struct ToMpi;
template <class... In>
struct ToMpi<caf::result<void>(In...)> {
  using Type = caf::reacts_to<In...>;
};
template <class... Signatures>
using Interface = caf::typed_actor<typename ToMpi<Signatures>::Type...>;
#else
template <class... Signatures>
using Interface = caf::typed_actor<Signatures...>;
#endif
/// A handler that takes one message and answers nothing: all of ours.
template <class Message>
using Takes = caf::result<void>(Message);

// -- For ThreadSanitizer ----------------------------------------------------------------------------------------------------------

/// What CAF promises and ThreadSanitizer cannot see, since CAF's library is not instrumented: what a thread did before
/// `hand_over(key)` happened before what another does after `take_over(key)`. Nothing in other builds.
inline void hand_over([[maybe_unused]] void* key) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(key);
#endif
}
inline void take_over([[maybe_unused]] void* key) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(key);
#endif
}

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
#if SPILLWAY_CAF_017 && defined(__SANITIZE_THREAD__)
  auto to = caf::actor_cast<caf::strong_actor_ptr>(dest);
  auto element = caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::forward<Message>(message));
  hand_over(element.get());  // to the clock's thread
  self->clock().schedule_message(self->clock().now() + delay, std::move(to), std::move(element));
#elif SPILLWAY_CAF_017
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

/// Ends an actor, behind the messages it has.
template <class Dest>
void tell_exit(const Dest& dest) {
#if SPILLWAY_CAF_017
  // Not anon_send_exit: that shares its message between the threads of sender and receiver.
  caf::exit_msg exit{caf::actor_cast<caf::actor_addr>(dest), caf::exit_reason::user_shutdown};
  caf::actor_cast<caf::strong_actor_ptr>(dest)->enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(exit)),
                                                        nullptr);
#else
  caf::anon_send_exit(dest, caf::exit_reason::user_shutdown);
#endif
}

// -- Failing ----------------------------------------------------------------------------------------------------------------------

/// No exception is meant to leave a handler: one that does is our own bug. An actor that ended alone would leave a node that answers
/// heartbeats and serves nobody, so the process ends, its streams go on elsewhere, and `up` starts it again.
template <class Self>
void end_process_on_exception(Self* self) {
  self->set_exception_handler([](std::exception_ptr& thrown) -> caf::error {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      core::assertion_failed(error.what(), "an actor's handler", 0);
    } catch (...) {
      core::assertion_failed("an exception without a name", "an actor's handler", 0);
    }
  });
}

// -- Spawning ---------------------------------------------------------------------------------------------------------------------

#if SPILLWAY_CAF_017
/// An actor that is a function of (self, setup), which runs when the actor is first resumed. It tells ThreadSanitizer the two
/// orders an actor has, and no more, so that races between actors are still seen: a message is made before it is handled, and
/// an actor runs on one thread at a time.
template <class Self, class Setup>
class Spawned final : public Self {
 public:
  using Behavior = typename Self::behavior_type;
  using Body = Behavior (*)(Self*, Setup);

  Spawned(caf::actor_config& config, Body body, Setup setup) : Self(config), body_(body), setup_(std::move(setup)) { hand_over(this); }
  ~Spawned() override {
    take_over(this);
    take_over(&last_);
  }

  using Self::enqueue;
  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* host) override {
    take_over(message.get());  // where the clock's thread, not the maker, brings it
    hand_over(message.get());
    hand_over(&last_);
    Self::enqueue(std::move(message), host);
  }
  // From the moment on at which the library finds the mailbox empty another thread may run the actor, so whatever it did is
  // handed over before that: behind each message, not behind `resume`.
  using Self::consume;
  caf::invoke_message_result consume(caf::mailbox_element& message) override {
    take_over(&message);
    const auto result = Self::consume(message);
    hand_over(this);
    return result;
  }
  caf::resumable::resume_result resume(caf::execution_unit* host, std::size_t messages_max) override {
    take_over(this);
    return Self::resume(host, messages_max);
  }
  void initialize() override {
    Self::initialize();
    hand_over(this);
  }
  bool cleanup(caf::error&& reason, caf::execution_unit* host) override {
    take_over(&last_);  // of messages that nobody will handle
    const bool result = Self::cleanup(std::move(reason), host);
    hand_over(this);
    return result;
  }

 protected:
  Behavior make_behavior() override {
    end_process_on_exception<Self>(this);
    return body_(this, std::move(setup_));
  }

 private:
  Body body_;
  Setup setup_;
  char last_ = 0;
};

/// Spawns the actor `body(self, setup)`.
template <caf::spawn_options Options = caf::no_spawn_options, class Self, class Setup>
typename Self::actor_hdl spawn(caf::actor_system& system, typename Self::behavior_type (*body)(Self*, Setup),
                               std::type_identity_t<Setup> setup) {
  return system.spawn<Spawned<Self, Setup>, Options>(body, std::move(setup));
}
#else
template <caf::spawn_options Options = caf::no_spawn_options, class Behavior, class Self, class Setup>
auto spawn(caf::actor_system& system, Behavior (*body)(Self*, Setup), std::type_identity_t<Setup> setup) {
  return system.spawn<Options>(
      [body](Self* self, Setup made) {
        end_process_on_exception(self);
        return body(self, std::move(made));
      },
      std::move(setup));
}
#endif

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
