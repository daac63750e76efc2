#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster-config/cluster.h"

/// The one table of keys: it serves parsing, checking, suggestions for unknown keys and `spillway config reference`.
namespace spillway::config {

/// What a value may look like.
enum class Type : std::uint8_t {
  boolean,    ///< true or false
  count,      ///< whole number
  size,       ///< "512MiB"
  duration,   ///< "250ms"
  bandwidth,  ///< "100MB/s", or 0
  choice,     ///< one of the words
  choices,    ///< a list of the words, none twice
  text,       ///< any characters but control characters
  name,       ///< letters, digits and . _ - behind a letter or digit
  pattern,    ///< a name or address with one range: "edge-[1-16]"
  address,    ///< IPv4, [IPv6] or host name
  path,       ///< relative to the file's folder
  key,        ///< CURVE public key, Z85
  secret,     ///< 64 hex digits
  names,      ///< a list of model or tenant names, none twice
  keys,       ///< a list of CURVE public keys
  rungs,      ///< a list of rungs of a ladder (rungs.h), each kind at most once
};

/// A checked value: `number` holds booleans, counts, bytes, nanoseconds, the index of a choice and the bits of choices.
struct Value {
  std::uint64_t number = 0;
  std::string text;
  std::vector<std::string> texts;
};

struct KeySpec {
  std::string_view name{};
  Type type = Type::count;
  std::string_view unit{};  ///< what is counted; empty where the type says it
  std::uint64_t min = 0;    ///< of the number; of the length of a list or text
  std::uint64_t max = 0;
  bool required = false;
  std::string_view default_words{};  ///< where the default is no constant
  std::string_view sentence{};
  std::string_view example{};                 ///< as TOML
  std::span<const std::string_view> words{};  ///< of choices, in the order of the enum
  void (*set)(void* target, const Value& value) = nullptr;
  Value (*get)(const void* target) = nullptr;  ///< shows the default of a fresh target
};

/// One table of the file. Patterns: "" the top, "limits" a table, "models.*" tables by name, "nodes[]" a list of tables.
struct Section {
  std::string_view pattern;
  std::string_view sentence;
  std::span<const KeySpec> keys;
  const void* defaults = nullptr;  ///< a fresh target
};

/// What the parser fills besides the public structs.
struct Top {
  std::uint32_t version = 0;
};
struct ClusterNames {
  std::string name = Cluster{}.name;
};
struct SecurityEntry : Security {
  std::optional<bool> curve_wish;
};
struct ModelEntry : Model {};
struct NodeEntry : Node {};
struct PoolEntry : Node {
  std::vector<std::string> public_keys;
  std::optional<std::uint32_t> port_step;
  std::optional<std::uint32_t> start_count;
};
struct TenantEntry : Tenant {};

inline constexpr std::uint64_t file_version = 1;
inline constexpr std::size_t models_max = 64;     ///< of one file
inline constexpr std::size_t entries_max = 1024;  ///< tenants, clients, tokens, pools; names in a list

/// All sections in the order of the reference.
std::span<const Section> sections();
/// The section of this pattern; it must exist.
const Section& section(std::string_view pattern);
/// Names of the tables that may stand inside a section: "" -> cluster, security, models, ...
std::vector<std::string_view> inner_tables(std::string_view pattern);

/// The range of a key in words: "1 to 65536 tokens", "10ms to 10s", "raw32 or raw16".
std::string wish(const KeySpec& key);
/// The default as it would stand in the file, or in words; empty for required keys and for keys that are unset by default.
std::string default_text(const Section& section, const KeySpec& key);

}  // namespace spillway::config
