#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.h"

namespace spillway::core {

/// Stable codes: they travel on the wire and are shown to clients. Append only.
enum class Errc : std::uint16_t {
  ok = 0,
  internal = 1,              ///< our own fault; please report
  bad_argument = 2,          ///< the caller asked for something that cannot be
  bad_config = 3,            ///< the cluster file is wrong
  bad_file = 4,              ///< a model or data file is corrupt or unsupported
  bad_frame = 5,             ///< a peer sent bytes that do not decode
  io = 6,                    ///< the operating system said no
  unknown_model = 7,         ///< no replica serves this model
  unknown_node = 8,          ///< no node of this name
  unknown_request = 9,       ///< no stream of this id
  queue_full = 10,           ///< bounded queue is full; retry after `retry_after`
  deadline_infeasible = 11,  ///< the deadline cannot be met; refused at once
  no_capacity = 12,          ///< more blocks than any node has
  unsupported = 13,          ///< a feature this build or replica lacks, named
  incompatible = 14,         ///< versions, weights or numerics do not match
  unauthorized = 15,         ///< key or tenant not allowed
  unavailable = 16,          ///< nobody can serve this now; retry
  timeout = 17,
  cancelled = 18,
  already_exists = 19,
  draining = 20,
};

std::string_view to_string(Errc code);

/// What went wrong, in words that name the thing and the fix.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  Duration retry_after{0};  ///< 0 = no advice
};

}  // namespace spillway::core
