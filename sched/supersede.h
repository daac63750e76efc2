#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace spillway::sched {

/// Channels of which only the newest request is worth anything: live captions of one programme, the score of one match. A request
/// names its channel (Request::supersedes); when it is admitted, the unfinished requests of the same tenant and channel that this
/// router owns are cancelled. Requests of one channel that reach different routers do not know of each other.
///
/// Newest = admitted last at this router. A stream that is submitted again after a failure keeps the age it had: it supersedes
/// nobody, and where a request that was submitted since holds the channel, it is itself the older one. Two streams that both came
/// back cannot be told apart by age and both go on, until the next request of the channel.
class ChannelTable {
 public:
  struct Decision {
    std::vector<core::StreamKey> cancel;  ///< older ones, in order of their keys
    bool superseded = false;              ///< the newcomer is the older one
  };

  /// The stream joins the channel, unless it is superseded on arrival.
  Decision enter(core::TenantId tenant, const std::string& channel, core::StreamKey stream, bool resumed);
  /// The stream is over. No effect when it is not in the channel.
  void leave(core::TenantId tenant, const std::string& channel, core::StreamKey stream);
  std::size_t size() const { return channels_.size(); }

 private:
  struct Channel {
    std::set<core::StreamKey> streams;  // not empty
    bool fresh = false;                 // one of them was submitted for the first time
  };
  std::map<std::pair<core::TenantId, std::string>, Channel> channels_;
};

}  // namespace spillway::sched
