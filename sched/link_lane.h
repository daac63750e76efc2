#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/messages.h"
#include "core/time.h"

namespace spillway::sched {

/// The control or token lane of one session, both directions: numbers what is sent from 1 and keeps it until it is acknowledged;
/// puts what is received in order, once. Acknowledgements are cumulative.
class LinkLane {
 public:
  struct Due {
    std::uint64_t sequence = 0;
    core::MessagePtr message;
  };

  LinkLane(core::Duration resend, core::Duration resend_max, std::uint32_t reorder_max)
      : resend_(resend), resend_max_(resend_max), reorder_max_(reorder_max), wait_(resend) {}

  /// The sequence of the message; it counts as sent at `now`.
  std::uint64_t send(const core::MessagePtr& message, core::Instant now);
  /// The peer has everything up to `sequence`. Numbers never sent are ignored.
  void acknowledge(std::uint64_t sequence, core::Instant now);
  /// What has to be sent again now: at most `resends_max` messages, oldest first. The wait doubles until an acknowledgement comes.
  void collect_due(core::Instant now, std::vector<Due>& due);
  core::Instant next_resend() const { return unacked_.empty() ? core::never : resend_at_; }
  std::size_t unacked() const { return unacked_.size(); }

  /// Takes a message in; appends what is now in order. False: seen before, or too far ahead to be kept (it will be resent).
  bool receive(std::uint64_t sequence, const core::MessagePtr& message, std::vector<core::MessagePtr>& in_order);
  /// Highest sequence received without a gap.
  std::uint64_t received() const { return received_; }
  std::size_t reordered() const { return early_.size(); }

 private:
  static constexpr std::size_t resends_max = 64;
  struct Sent {
    core::MessagePtr message;
    core::Instant at;
  };

  core::Duration resend_, resend_max_;
  std::uint32_t reorder_max_;
  core::Duration wait_;
  core::Instant resend_at_ = core::never;
  std::deque<Sent> unacked_;  // of sequence acknowledged_ + 1 and on
  std::uint64_t acknowledged_ = 0;
  std::uint64_t received_ = 0;
  std::map<std::uint64_t, core::MessagePtr> early_;
};

}  // namespace spillway::sched
