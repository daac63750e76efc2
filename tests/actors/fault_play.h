#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/actors/virtual_cluster.h"

namespace spillway::tests {

enum class Fault : std::uint8_t { lost, repeated, delayed, old_epoch, old_incarnation };
inline constexpr int faults = 5;
std::string_view to_string(Fault fault);

/// Where the fault strikes: on the wire, where the link stands in for it, or behind the link, where the actor has to.
enum class Level : std::uint8_t { wire, above_link };

/// A play on three nodes with their real actors in which every message of runs and moves is sent between nodes: an owner that
/// runs nothing, two workers, and seven streams. The first is moved there and back; of the second every hand-off is lost, of the
/// third every release, the fourth is offered to a node that must refuse it, the fifth is cancelled, the
/// sixth is cancelled while it is frozen, the seventh is first run where it cannot be; pages are lost; the devices of both workers
/// fail. To one type of message one fault is done. With `old_incarnation` the owner and a worker crash too, and the
/// clients submit again.
class FaultPlay {
 public:
  FaultPlay(std::size_t type, Fault fault, Level level);
  ~FaultPlay();

  /// Plays to the end, until nothing is left of the streams. What went wrong, empty when nothing did.
  std::string play();
  /// How often the message was sent, and how often the fault was done to it. A replay counts only where the message was old.
  std::uint32_t seen() const { return seen_; }
  std::uint32_t hits() const;
  std::uint32_t commits() const { return commits_; }

 private:
  struct Stream {
    core::Submit submit;
    Answer answer;
    const Answer* want = nullptr;
    std::unique_ptr<net::ClientConnection> connection;
    std::uint32_t moves_asked = 0;
    bool cancelled = false;
  };
  /// What travels in place of a message, for as long as its link sends it again.
  struct Verdict {
    core::MessagePtr message;  ///< kept: the link's pointer is the key
    core::MessagePtr instead;
  };

  static const std::vector<Answer>& undisturbed();
  VirtualOptions options();
  void script_wire();
  void ask(Stream& stream);
  void on_update(const core::ClientMessage& message);
  void cues();
  void move(std::size_t stream);
  void cancel(std::size_t stream);
  bool done() const;
  void crash_and_submit_again();
  void submit_again(Stream& stream);
  std::string compare() const;

  core::MessagePtr on_send(const core::Envelope& envelope);
  void learn(const core::Message& message);
  core::MessagePtr strike(const core::Envelope& envelope);
  core::MessagePtr background(const core::MessagePtr& message);
  void deliver_later(const core::Envelope& envelope, core::Duration delay);
  void replay_when_old(const core::Envelope& envelope, int tries);
  void replay(const core::Envelope& envelope);
  bool old(const core::Message& message) const;

  std::size_t type_;
  Fault fault_;
  Level level_;
  std::vector<Stream> streams_;
  std::map<core::StreamKey, core::Epoch> newest_;                              // by messages seen
  std::map<core::TransferId, std::pair<core::StreamKey, core::Epoch>> moves_;  // transfers, and what they are for
  std::map<core::StreamKey, core::NodeId> places_;
  std::map<core::TransferId, std::uint32_t> pages_lost_;
  std::map<const core::Message*, Verdict> verdicts_;
  std::vector<core::Envelope> kept_;  // for replay by another incarnation
  std::optional<std::size_t> script_;
  std::array<bool, 3> failing_{};
  std::array<bool, 3> failed_{};
  bool crashed_ = false;
  bool turned_ = false;
  std::uint32_t seen_ = 0;
  std::uint32_t hits_ = 0;
  std::uint32_t commits_ = 0;
  std::unique_ptr<VirtualCluster> cluster_;
};

}  // namespace spillway::tests
