#include "cluster-config/rungs.h"

#include <charconv>

#include "cluster-config/units.h"
#include "cluster-config/values.h"

namespace spillway::config {

std::optional<core::Rung> parse_rung(std::string_view text) {
  constexpr std::uint32_t tokens_max = 1'048'576;
  constexpr core::Duration wait_min = std::chrono::milliseconds(1);
  constexpr core::Duration wait_max = std::chrono::minutes(10);
  core::Rung rung;
  rung.text = text;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto kind = text.substr(0, colon);
  const auto value = text.substr(colon + 1);
  if (kind == "shorter") {
    const auto* end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, rung.tokens);
    if (value.empty() || read.ptr != end || read.ec != std::errc{} || rung.tokens == 0 || rung.tokens > tokens_max) return std::nullopt;
    return rung;
  }
  if (kind == "model") {
    if (!is_model_name(value)) return std::nullopt;
    rung.kind = core::Rung::Kind::model;
    rung.model = value;
    rung.model_id = core::model_id(value);
    return rung;
  }
  const auto wait = parse_duration(value);
  if (kind != "defer" || !wait) return std::nullopt;
  rung.kind = core::Rung::Kind::defer;
  rung.wait = core::Duration{static_cast<std::int64_t>(*wait)};
  if (rung.wait < wait_min || rung.wait > wait_max) return std::nullopt;
  return rung;
}

}  // namespace spillway::config
