#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace spillway::sim {

/// The part of YAML that a profile's meta.yaml is written in: mappings and lists by indentation, flow lists and mappings, plain
/// and quoted scalars, comments. Anchors, tags, block scalars (| and >), multiple documents and tabs are refused.
struct YamlNode {
  enum class Kind : std::uint8_t { scalar, map, list };
  Kind kind = Kind::scalar;
  std::uint32_t line = 0;
  std::string scalar;             ///< as written, without quotes; empty also for no value at all
  std::vector<std::string> keys;  ///< of a mapping, each once
  std::vector<YamlNode> list;     ///< items of a list; of a mapping the values, in the order of its keys

  /// The value of a key of a mapping; null where there is none, or this is no mapping.
  const YamlNode* find(std::string_view key) const;
};

/// `path` is for the errors alone.
/// Errors  file:line, what stands there, what is read.
core::Result<YamlNode> parse_yaml(const std::string& path, std::string_view text);

}  // namespace spillway::sim
