#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/time.h"

namespace spillway::core {

/// One rung of a tenant's ladder: what is taken from a request instead of an error. Rungs add up: who stands on the third has taken
/// the first two as well.
struct Rung {
  enum class Kind : std::uint8_t {
    shorter = 0,  ///< at most `tokens` generated tokens of each choice
    model = 1,    ///< another model
    defer = 2,    ///< begun up to `wait` later
  };
  Kind kind = Kind::shorter;
  std::uint32_t tokens = 0;
  std::string model;
  ModelId model_id;
  Duration wait{0};
  std::string text;  ///< as it stands in the cluster file: "shorter:64", "model:NAME", "defer:5s"; clients are told these words

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("kind", s.kind), v("tokens", s.tokens), v("model", s.model), v("model_id", s.model_id), v("wait", s.wait), v("text", s.text);
  }
};

/// Why a request is not run as it was asked.
enum class Pressure : std::uint8_t {
  none = 0,
  quota = 1,       ///< the tenant's token bucket has not enough
  deadline = 2,    ///< as asked it would be too late
  saturation = 3,  ///< the replicas of its model are full
};
std::string_view to_string(Pressure value);

}  // namespace spillway::core
