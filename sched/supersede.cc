#include "sched/supersede.h"

namespace spillway::sched {

ChannelTable::Decision ChannelTable::enter(core::TenantId tenant, const std::string& channel, core::StreamKey stream, bool resumed) {
  auto& entry = channels_[{tenant, channel}];
  Decision decision;
  if (resumed && entry.fresh) {
    decision.superseded = true;
    return decision;
  }
  if (!resumed) {
    decision.cancel.assign(entry.streams.begin(), entry.streams.end());
    entry.streams.clear();
    entry.fresh = true;
  }
  entry.streams.insert(stream);
  return decision;
}

void ChannelTable::leave(core::TenantId tenant, const std::string& channel, core::StreamKey stream) {
  const auto it = channels_.find({tenant, channel});
  if (it == channels_.end() || it->second.streams.erase(stream) == 0) return;
  if (it->second.streams.empty()) channels_.erase(it);
}

}  // namespace spillway::sched
