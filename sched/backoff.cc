#include "sched/backoff.h"

#include <algorithm>

namespace spillway::sched {

core::Duration Backoff::failed(core::Instant now) {
  if (failures_ > 0 && now - restart_at_ >= limits_.calm) failures_ = 0;
  if (failures_ == 0) {
    wait_ = std::min(limits_.first, limits_.limit);
  } else {
    wait_ = wait_ > limits_.limit / 2 ? limits_.limit : wait_ * 2;
  }
  ++failures_;
  restart_at_ = now + wait_;
  return wait_;
}

}  // namespace spillway::sched
