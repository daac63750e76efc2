#pragma once

#include "actors/shell.h"
#include "decisions/recorder.h"
#include "sched/cache_core.h"

namespace spillway::actors {

struct CacheSetup {
  std::shared_ptr<const Wiring> wiring;
  sched::CacheLimits limits;
  std::shared_ptr<decisions::Sink> decision_log;  ///< null: nothing is logged
};

struct CacheShell {
  CacheSetup setup;
  std::unique_ptr<sched::CacheCore> core;
  std::unique_ptr<decisions::Recorder<sched::CacheCore>> log;
  std::map<std::uint32_t, std::uint64_t> generations;  ///< of the device, by replica
  sched::CacheCore::Actions actions;
  Timer timer;
};

/// The shell of a node's CacheCore: carries moves between batchers, workers and other nodes.
CacheActor::behavior_type cache_actor(CacheActor::stateful_pointer<CacheShell> self, CacheSetup setup);

}  // namespace spillway::actors
