#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "actors/node_parts.h"
#include "model/paced_device.h"
#include "net/memory_network.h"

#include <caf/scheduler/test_coordinator.hpp>

/// Several nodes with their real actors in one actor system: CAF's test scheduler delivers messages on this thread in an order
/// drawn from a seed, the clock is virtual, the network is in memory and has faults, the devices are paced.
namespace spillway::tests {

struct VirtualOptions {
  std::uint64_t seed = 1;
  int nodes = 3;
  net::LinkFaults faults;
  std::uint32_t blocks = 512;
  std::uint64_t bulk_bytes_per_second = 0;
  std::function<void(config::Cluster&)> configure;  ///< last word on the cluster file
  /// What a node's link sends, resends too, before the network has it. Returns the message that travels in its place (most often
  /// the same); null: the envelope is lost.
  std::function<core::MessagePtr(const core::Envelope&)> on_send;
  /// Whether the device of node `node` throws in the step it is about to take.
  std::function<bool(int node)> device_fails;
};

/// What a client of a virtual cluster saw of one request.
struct Answer {
  std::map<std::uint32_t, std::vector<core::TokenId>> tokens;  ///< by choice
  std::map<std::uint32_t, std::string> texts;
  std::map<std::uint32_t, core::FinishReason> finish;
  std::optional<core::Accepted> accepted;
  bool done = false;
  std::string failure;
  std::uint32_t out_of_order = 0;
  core::Finished finished;
  friend bool operator==(const Answer& a, const Answer& b) {
    return a.tokens == b.tokens && a.texts == b.texts && a.finish == b.finish && a.done == b.done;
  }
};

class VirtualCluster {
 public:
  static constexpr std::uint64_t page_bytes = 4096;

  explicit VirtualCluster(const VirtualOptions& options);
  ~VirtualCluster();

  net::MemoryNetwork& network() { return network_; }
  core::NodeId node(int index) const { return cluster_.nodes[static_cast<std::size_t>(index)].id; }
  core::Duration elapsed() const;

  /// Runs until `done` says so; false when `limit` of virtual time passed first.
  bool run_until(const std::function<bool()>& done, core::Duration limit);
  void run_for(core::Duration time);

  /// Connects a client to a node; messages go to `take`. The connection lives as long as the result.
  std::unique_ptr<net::ClientConnection> connect(int node, std::function<void(core::ClientMessage&&)> take);
  /// Submits and fills `answer` as it comes (the caller keeps both alive); other messages go to `other`.
  std::unique_ptr<net::ClientConnection> ask(int node, const core::Submit& submit, Answer& answer,
                                             const std::function<void(const core::ClientMessage&)>& other = {});
  /// Ends a node as kill -9 would, or starts it again as a new process.
  void crash(int node);
  void restart(int node);
  /// Status as node `node` tells it.
  core::StatusReply status(int node);
  /// Once so much virtual time has passed: `then`.
  void after(core::Duration delay, std::function<void()> then);
  /// Gives `message` to the part of node `to` it is for, past links and network, as if its link had delivered it. False when the
  /// node is down.
  bool deliver(core::NodeId to, core::NodeId from, const core::MessagePtr& message);
  /// What is left of streams and moves on any node, blocks included; empty when nothing is. Asserts every core's invariants.
  std::string left_over() const;

 private:
  struct Config : caf::actor_system_config {
    Config();
  };
  struct Member {
    std::unique_ptr<net::Transport> transport;
    std::unique_ptr<net::ClientListener> listener;
    std::unique_ptr<actors::NodeParts> parts;
  };
  void start(std::size_t index);
  void drain();
  core::Instant now() const;

  VirtualOptions options_;
  config::Cluster cluster_;
  net::MemoryNetwork network_;
  std::mt19937_64 random_;
  Config config_;
  std::unique_ptr<caf::actor_system> system_;
  caf::scheduler::test_coordinator* scheduler_ = nullptr;
  core::Instant begin_;
  std::uint64_t incarnations_ = 1;
  std::vector<Member> members_;
  std::multimap<core::Instant, std::function<void()>> later_;
};

}  // namespace spillway::tests
