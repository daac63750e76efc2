#include "sim/run_record.h"

namespace spillway::sim {

std::string_view to_string(RequestOutcome outcome) {
  switch (outcome) {
    case RequestOutcome::finished: return "finished";
    case RequestOutcome::refused: return "refused";
    case RequestOutcome::expired: return "expired";
    case RequestOutcome::cancelled: return "cancelled";
    case RequestOutcome::superseded: return "superseded";
    case RequestOutcome::failed: return "failed";
  }
  return "failed";
}

}  // namespace spillway::sim
