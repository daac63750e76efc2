#pragma once

#include <optional>

#include "actors/shell.h"
#include "decisions/recorder.h"
#include "sched/batcher_core.h"

namespace spillway::actors {

struct BatcherSetup {
  std::shared_ptr<const Wiring> wiring;
  std::uint32_t index = 0;  ///< of the replica
  core::ModelId model;
  sched::BatcherLimits limits;
  std::shared_ptr<decisions::Sink> decision_log;  ///< null: nothing is logged
};

struct BatcherShell {
  BatcherSetup setup;
  std::optional<sched::BatcherCore> core;  ///< from the first WorkerReady on
  std::unique_ptr<decisions::Recorder<sched::BatcherCore>> log;
  core::KvId kv_id;
  bool ready = false;
  bool draining = false;
  core::Announce changes;  ///< names since the last snapshot
  sched::BatcherCore::Actions actions;
  Timer timer;
};

/// The shell of one BatcherCore: feeds it, gives its plans to the worker, and announces its names to the routers.
BatcherActor::behavior_type batcher_actor(BatcherActor::stateful_pointer<BatcherShell> self, BatcherSetup setup);

}  // namespace spillway::actors
