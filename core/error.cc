#include "core/error.h"

namespace spillway::core {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::ok: return "ok";
    case Errc::internal: return "internal";
    case Errc::bad_argument: return "bad_argument";
    case Errc::bad_config: return "bad_config";
    case Errc::bad_file: return "bad_file";
    case Errc::bad_frame: return "bad_frame";
    case Errc::io: return "io";
    case Errc::unknown_model: return "unknown_model";
    case Errc::unknown_node: return "unknown_node";
    case Errc::unknown_request: return "unknown_request";
    case Errc::queue_full: return "queue_full";
    case Errc::deadline_infeasible: return "deadline_infeasible";
    case Errc::no_capacity: return "no_capacity";
    case Errc::unsupported: return "unsupported";
    case Errc::incompatible: return "incompatible";
    case Errc::unauthorized: return "unauthorized";
    case Errc::unavailable: return "unavailable";
    case Errc::timeout: return "timeout";
    case Errc::cancelled: return "cancelled";
    case Errc::already_exists: return "already_exists";
    case Errc::draining: return "draining";
  }
  return "unknown";
}

}  // namespace spillway::core
