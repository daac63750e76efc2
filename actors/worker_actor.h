#pragma once

#include <functional>
#include <memory>

#include "actors/shell.h"
#include "core/result.h"
#include "model/device.h"

namespace spillway::actors {

/// Loads the model of a replica. Called on the worker's own thread; may take long.
using DeviceFactory = std::function<core::Result<std::unique_ptr<model::Device>>(std::uint32_t replica)>;

struct WorkerSetup {
  std::shared_ptr<const Wiring> wiring;
  std::uint32_t index = 0;  ///< of the replica
  DeviceFactory load;
};

struct WorkerShell {
  WorkerSetup setup;
  std::unique_ptr<model::Device> device;  ///< null before LoadModel and after a failure
  std::uint64_t generation = 0;           ///< counts the loads that succeeded
};

/// The shell of one Device. A device that fails, in whatever way, is dropped and told of: the replica is lost, the node is not;
/// LoadModel makes a new one.
WorkerActor::behavior_type worker_actor(WorkerActor::stateful_pointer<WorkerShell> self, WorkerSetup setup);

}  // namespace spillway::actors
