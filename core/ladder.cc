#include "core/ladder.h"

namespace spillway::core {

std::string_view to_string(Pressure value) {
  switch (value) {
    case Pressure::none: return "none";
    case Pressure::quota: return "quota";
    case Pressure::deadline: return "deadline";
    case Pressure::saturation: return "saturation";
  }
  return "unknown";
}

}  // namespace spillway::core
