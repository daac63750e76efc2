#include "sched/link_lane.h"

#include <algorithm>

namespace spillway::sched {

std::uint64_t LinkLane::send(const core::MessagePtr& message, core::Instant now) {
  if (unacked_.empty()) {
    wait_ = resend_;
    resend_at_ = now + wait_;
  }
  unacked_.push_back({message, now});
  return acknowledged_ + unacked_.size();
}

void LinkLane::acknowledge(std::uint64_t sequence, core::Instant now) {
  if (sequence <= acknowledged_ || sequence > acknowledged_ + unacked_.size()) return;
  unacked_.erase(unacked_.begin(), unacked_.begin() + static_cast<std::ptrdiff_t>(sequence - acknowledged_));
  acknowledged_ = sequence;
  wait_ = resend_;
  resend_at_ = unacked_.empty() ? core::never : std::max(now, unacked_.front().at + wait_);
}

void LinkLane::collect_due(core::Instant now, std::vector<Due>& due) {
  if (unacked_.empty() || now < resend_at_) return;
  const std::size_t end = std::min(unacked_.size(), resends_max);
  for (std::size_t i = 0; i < end; ++i) {
    auto& sent = unacked_[i];
    if (sent.at + resend_ > now) continue;  // on its way for the first time
    sent.at = now;
    due.push_back({acknowledged_ + 1 + i, sent.message});
  }
  wait_ = std::min(wait_ * 2, resend_max_);
  resend_at_ = now + wait_;
}

bool LinkLane::receive(std::uint64_t sequence, const core::MessagePtr& message, std::vector<core::MessagePtr>& in_order) {
  if (sequence <= received_ || sequence > received_ + reorder_max_) return false;
  if (sequence != received_ + 1) return early_.try_emplace(sequence, message).second;
  in_order.push_back(message);
  ++received_;
  while (!early_.empty() && early_.begin()->first == received_ + 1) {
    in_order.push_back(std::move(early_.begin()->second));
    early_.erase(early_.begin());
    ++received_;
  }
  return true;
}

}  // namespace spillway::sched
