#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "app/load_prompts.h"
#include "sdk/include/spillway/client.h"
#include "sim/run_record.h"

namespace spillway::app {

struct LoadOptions {
  std::chrono::nanoseconds warm_up{0};   ///< gaps between tokens of earlier arrivals are not measured
  bool think = false;                    ///< a request with a think time comes that long after the end of its parent
  std::chrono::milliseconds timeout{0};  ///< of one request; 0 = none
  std::chrono::milliseconds sample_every{1000};
  std::string channels;  ///< in front of the names of channels, so that two runs do not supersede each other's
};

/// Whom to ask. Clients are the caller's; each tenant of the workload has one, in order of its number.
struct LoadTarget {
  std::vector<sdk::Client*> by_tenant;
  std::vector<std::string> models;  ///< by number in the workload; "" = the cluster's first
};

struct LoadProgress {
  std::uint64_t total = 0;
  std::uint64_t sent = 0;
  std::uint64_t ended = 0;
  std::chrono::nanoseconds time{0};
  std::chrono::nanoseconds lag_max{0};
};

enum class LoadOrder : std::uint8_t {
  go_on,
  send_no_more,  ///< and wait for what runs
  cancel,        ///< what runs, and end
};

/// Sends a workload, each request at its time, whatever became of those before: no thread and no wait for a request, one event
/// thread for each client. Returns when all that was sent has ended. `poll` is called on this thread at least every 50 ms; it may
/// wait for as long as it is given at most. Whatever happens to a request is in its record; what was not sent has none.
sim::Run run_load(const sim::Workload& workload, const LoadPrompts& prompts, const LoadTarget& target, const LoadOptions& options,
                  const std::function<LoadOrder(const LoadProgress&, std::chrono::milliseconds)>& poll);

/// How a request ended, by what the client heard; `in_channel`: a newer one of its channel may have cancelled it.
sim::RequestOutcome outcome_of(const sdk::Result<sdk::Completion>& heard, bool in_channel, bool cancelled_here);

}  // namespace spillway::app
