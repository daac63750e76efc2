#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/local_messages.h"

namespace spillway::actors {

/// One per peer node: carries envelopes through a LinkCore. Handlers in this order in every behavior.
using LinkActor = Interface<Takes<Inbound>, Takes<Outbound>, Takes<BulkConsumed>, Takes<SetHello>, Takes<Tick>>;

/// Owns streams through a RouterCore; turns prompts into tokens and tokens into text for its clients.
using RouterActor =
    Interface<Takes<FromPeer>, Takes<PeerChange>, Takes<ClientIn>, Takes<ClientGone>, Takes<SetDraining>, Takes<Snapshot>, Takes<Tick>>;

/// One per replica: queue, running set and block ledger through a BatcherCore.
using BatcherActor = Interface<Takes<FromPeer>, Takes<PeerChange>, Takes<ToBatcher>, Takes<Executed>, Takes<WorkerReady>,
                               Takes<WorkerFailed>, Takes<SetDraining>, Takes<Snapshot>, Takes<Tick>>;

/// One per node: moves, through a CacheCore.
using CacheActor = Interface<Takes<FromPeer>, Takes<PeerChange>, Takes<ToCache>, Takes<PagesRead>, Takes<PagesWritten>, Takes<PagesFailed>,
                             Takes<WorkerReady>, Takes<Snapshot>, Takes<Tick>>;

/// One per replica: executes steps and copies rows on a Device. Detached in production, since a step blocks.
using WorkerActor = Interface<Takes<LoadModel>, Takes<Execute>, Takes<ReadPages>, Takes<WritePages>>;

/// One per process: reports, drain flag, restarts of failed replicas.
using NodeActor = Interface<Takes<FromPeer>, Takes<PeerChange>, Takes<BatcherSnapshot>, Takes<CountersSnapshot>, Takes<WorkerReady>,
                            Takes<WorkerFailed>, Takes<Tick>>;

/// All actors of one node; built once before any of them acts and shared read-only, so none looks another up.
/// A part the node does not have is a null handle. Message handlers must not run before `wire` is complete: node_parts.cc starts
/// the flow last.
struct Wiring {
  core::NodeId self;
  core::Incarnation incarnation;
  std::map<core::NodeId, LinkActor> links;
  std::vector<core::NodeId> routers;  ///< nodes with the role router, this one included where it has it
  RouterActor router;
  CacheActor cache;
  NodeActor node;
  std::vector<BatcherActor> batchers;  ///< by replica index
  std::vector<WorkerActor> workers;    ///< by replica index
};
using WiringPtr = std::shared_ptr<const Wiring>;

}  // namespace spillway::actors
