#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "actors/caf_compat.h"
#include "core/client_messages.h"
#include "core/envelope.h"
#include "core/step.h"
#include "model/device.h"
#include "sched/cache_core.h"
#include "sched/local_events.h"
#include "sched/router_core.h"

/// What the actors of one process say to each other. Nothing here leaves the process: bulky parts are shared, never copied.
namespace spillway::actors {

/// Network loop -> link.
struct Inbound {
  std::shared_ptr<const core::Envelope> envelope;
};
/// Any core's shell -> link: send this to your peer.
struct Outbound {
  core::MessagePtr message;
};
/// Cache-manager -> link: so many bulk bytes of your peer are taken, return its credit.
struct BulkConsumed {
  std::uint64_t bytes = 0;
};
/// Link, or another actor of this node, -> the part the message is for.
struct FromPeer {
  core::NodeId from;
  core::MessagePtr message;
  std::uint64_t bulk_bytes = 0;
};
/// Link -> router, batchers, cache-manager, node.
struct PeerChange {
  enum class Kind : std::uint8_t { up, suspect, trusted, down, credit } kind = Kind::up;
  core::NodeId peer;
  core::Incarnation incarnation;
  std::uint64_t bytes_in_flight = 0;  ///< credit
  std::string reason;                 ///< down
};
/// Node -> link: what Hello says from now on.
struct SetHello {
  std::shared_ptr<const core::Hello> hello;
};

/// Cache-manager -> batcher.
struct ToBatcher {
  std::shared_ptr<const std::variant<sched::ExportBegin, sched::ExportFreeze, sched::ExportThaw, sched::ExportRelease, sched::ImportReserve,
                                     sched::ImportCommit, sched::ImportCancel>>
      event;
};
/// Batcher -> cache-manager.
struct ToCache {
  std::uint32_t replica = 0;
  std::shared_ptr<
      const std::variant<sched::ExportGrown, sched::ExportEnded, sched::ExportFrozen, sched::ImportReserved, sched::ImportCommitted>>
      event;
};

/// Batcher -> worker.
struct Execute {
  std::shared_ptr<const core::StepPlan> plan;
};
/// Worker -> batcher.
struct Executed {
  std::shared_ptr<const core::StepResult> result;
};
/// Worker -> batcher, cache-manager, node: the replica is loaded and takes steps.
struct WorkerReady {
  std::uint32_t replica = 0;
  std::shared_ptr<const core::ReplicaInfo> info;
  std::uint64_t generation = 0;  ///< of the device: counts its loads
};
/// Worker -> batcher, node: it threw or could not load; it is gone.
struct WorkerFailed {
  std::uint32_t replica = 0;
  std::string reason;
};
/// Cache-manager -> worker, answered to the cache-manager. `generation` is that of the device whose blocks are meant: a device that
/// was loaded since holds others under the same numbers.
struct ReadPages {
  sched::CacheCore::ReadRows what;
  std::uint64_t generation = 0;
};
struct PagesRead {
  sched::CacheCore::RowsRead what;
};
struct WritePages {
  sched::CacheCore::WriteRows what;
  std::uint64_t generation = 0;
};
struct PagesWritten {
  sched::CacheCore::RowsWritten what;
};
/// Worker -> cache-manager: instead of PagesRead or PagesWritten, when the device that was meant is gone.
struct PagesFailed {
  core::TransferId transfer;
  std::string reason;
};
/// Node -> worker: load.
struct LoadModel {
  std::uint32_t attempt = 0;
};

/// Network loop -> router.
struct ClientIn {
  sched::ClientRef client;
  std::string tenant;
  bool operator_rights = false;
  core::ClientMessagePtr message;
  std::shared_ptr<const void> ticket{};  ///< of ClientGate
};
struct ClientGone {
  sched::ClientRef client;
};

/// A shell's own timer. `due` tells a stale one from the armed one.
struct Tick {
  std::int64_t due_ns = 0;
};
/// Node -> batchers, cache-manager, router: tell the node how you stand, for report `number`.
struct Snapshot {
  std::uint64_t number = 0;
};
/// The answers.
struct BatcherSnapshot {
  std::uint64_t number = 0;
  std::shared_ptr<const core::ReplicaReport> report;
  core::NodeCounters counters;
};
struct CountersSnapshot {
  std::uint64_t number = 0;
  core::NodeCounters counters;
  std::uint32_t owned_streams = 0;
  bool from_router = false;
};
/// Node -> batchers, router. `leave`: clients of owned streams are to go to another router.
struct SetDraining {
  bool draining = false;
  bool leave = false;
};

}  // namespace spillway::actors

CAF_BEGIN_TYPE_ID_BLOCK(spillway, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Inbound))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Outbound))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::BulkConsumed))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::FromPeer))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::PeerChange))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::SetHello))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::ToBatcher))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::ToCache))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Execute))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Executed))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::WorkerReady))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::WorkerFailed))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::ReadPages))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::PagesRead))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::WritePages))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::PagesWritten))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::PagesFailed))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::LoadModel))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::ClientIn))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::ClientGone))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Tick))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::Snapshot))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::BatcherSnapshot))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::CountersSnapshot))
CAF_ADD_TYPE_ID(spillway, (spillway::actors::SetDraining))
CAF_END_TYPE_ID_BLOCK(spillway)

// They never leave the process (no CAF serialisation), so they need no inspect().
#define SPILLWAY_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(spillway::actors::type)
SPILLWAY_LOCAL_MESSAGE(Inbound)
SPILLWAY_LOCAL_MESSAGE(Outbound)
SPILLWAY_LOCAL_MESSAGE(BulkConsumed)
SPILLWAY_LOCAL_MESSAGE(FromPeer)
SPILLWAY_LOCAL_MESSAGE(PeerChange)
SPILLWAY_LOCAL_MESSAGE(SetHello)
SPILLWAY_LOCAL_MESSAGE(ToBatcher)
SPILLWAY_LOCAL_MESSAGE(ToCache)
SPILLWAY_LOCAL_MESSAGE(Execute)
SPILLWAY_LOCAL_MESSAGE(Executed)
SPILLWAY_LOCAL_MESSAGE(WorkerReady)
SPILLWAY_LOCAL_MESSAGE(WorkerFailed)
SPILLWAY_LOCAL_MESSAGE(ReadPages)
SPILLWAY_LOCAL_MESSAGE(PagesRead)
SPILLWAY_LOCAL_MESSAGE(WritePages)
SPILLWAY_LOCAL_MESSAGE(PagesWritten)
SPILLWAY_LOCAL_MESSAGE(PagesFailed)
SPILLWAY_LOCAL_MESSAGE(LoadModel)
SPILLWAY_LOCAL_MESSAGE(ClientIn)
SPILLWAY_LOCAL_MESSAGE(ClientGone)
SPILLWAY_LOCAL_MESSAGE(Tick)
SPILLWAY_LOCAL_MESSAGE(Snapshot)
SPILLWAY_LOCAL_MESSAGE(BatcherSnapshot)
SPILLWAY_LOCAL_MESSAGE(CountersSnapshot)
SPILLWAY_LOCAL_MESSAGE(SetDraining)
#undef SPILLWAY_LOCAL_MESSAGE
