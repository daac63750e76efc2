#pragma once

#include "actors/local_messages.h"

#include <caf/scheduler/test_coordinator.hpp>

namespace spillway::tests {

/// An actor system whose only thread is the test's own, with a virtual clock.
class OneActor {
 public:
  OneActor() : system_(config_), scheduler_(dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())) {}

  caf::actor_system& system() { return system_; }
  /// Delivers what was sent, and lets `time` pass with what it brings.
  void run(core::Duration time = core::Duration{0}) {
    settle();
    for (constexpr auto step = std::chrono::milliseconds(1); time > core::Duration{0}; time -= step) {
      scheduler_.advance_time(step);
      settle();
    }
  }
  /// Sends and delivers.
  template <class Actor, class Message>
  void tell(const Actor& actor, Message&& message) {
    actors::tell_anon(actor, std::forward<Message>(message));
    run();
  }

 private:
  struct Config : caf::actor_system_config {
    Config() {
      set("scheduler.policy", caf::atom("testing"));
      actors::register_types<caf::id_block::spillway>(*this);
    }
  };
  void settle() {
    while (scheduler_.has_job()) scheduler_.try_run_once();
  }

  Config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
};

}  // namespace spillway::tests
