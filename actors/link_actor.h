#pragma once

#include <functional>

#include "actors/shell.h"
#include "decisions/recorder.h"
#include "sched/link_core.h"

namespace spillway::actors {

struct LinkSetup {
  std::shared_ptr<const Wiring> wiring;
  core::NodeId peer;
  std::string peer_name;  ///< for the log
  core::Hello hello;
  sched::LinkLimits limits;
  std::uint64_t session_seed = 0;
  std::function<void(core::Envelope)> transmit;   ///< net::Transport::send, from any thread
  std::shared_ptr<decisions::Sink> decision_log;  ///< null: nothing is logged
};

struct LinkShell {
  LinkSetup setup;
  std::unique_ptr<sched::LinkCore> core;
  std::unique_ptr<decisions::Recorder<sched::LinkCore>> log;
  sched::LinkCore::Actions actions;
  Timer timer;
};

/// The shell of one LinkCore. Spawned idle; the first Tick starts it.
LinkActor::behavior_type link_actor(LinkActor::stateful_pointer<LinkShell> self, LinkSetup setup);

}  // namespace spillway::actors
