#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "cluster-config/cluster.h"
#include "core/result.h"
#include "core/step.h"

namespace spillway::actors {

struct HostOptions {
  config::Cluster cluster;
  std::string node;                                    ///< name of the node this process is
  std::filesystem::path decision_log;                  ///< folder of decision logs; empty: nothing is logged
  bool decision_log_answers = false;                   ///< the answers of the cores too, beside their digests
  bool embedded = false;                               ///< no other nodes: clients connect to a free port on loopback
  std::function<void()> on_drained;                    ///< a drain with `stop` is complete; called on some thread, once
  std::function<void(std::uint32_t replica)> on_load;  ///< a replica is about to be loaded; on its own thread
  std::function<void(std::uint32_t replica, const core::ReplicaInfo&)> on_ready;  ///< a replica serves; on some thread
};

/// One node of a cluster in this process: network loop, actors, devices. No CAF type shows.
class NodeHost {
 public:
  /// Opens sockets, vocabularies and keys, and begins to load the models (which goes on behind the return). Errors name what is
  /// missing: node, key file, model file, port in use, folder of decision logs.
  static core::Result<std::unique_ptr<NodeHost>> start(HostOptions options);
  ~NodeHost();

  /// Waits until every replica of this node serves. Error: timeout, or why the first failing one could not be loaded.
  core::Result<void> wait_ready(core::Duration timeout);
  /// Whether every other node of the cluster file has been linked to once.
  bool linked() const;
  /// Where clients connect: "tcp://127.0.0.1:7403"; empty without the role router.
  std::string client_endpoint() const;
  /// Ends everything; running streams end with it. Twice is fine. Loading a model cannot be interrupted: false when one is still
  /// being loaded after `loading_max`. Then the network is closed already, and the process had better leave (std::_Exit), since the
  /// destructor waits for the rest.
  bool stop(core::Duration loading_max = core::Duration::max());

 private:
  struct Impl;
  explicit NodeHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::actors
