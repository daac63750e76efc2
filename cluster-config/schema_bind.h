#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "cluster-config/schema.h"

/// Ties keys to struct members; for the tables of keys alone, those of schema_*.cc and of other TOML files.
namespace spillway::config {

inline constexpr std::uint64_t us = 1000;
inline constexpr std::uint64_t ms = 1000 * us;
inline constexpr std::uint64_t s = 1000 * ms;
inline constexpr std::uint64_t kib = 1ULL << 10;
inline constexpr std::uint64_t mib = 1ULL << 20;
inline constexpr std::uint64_t gib = 1ULL << 30;

inline constexpr std::string_view role_words[] = {"router", "worker", "gateway"};
inline constexpr std::string_view phase_words[] = {"prefill", "decode"};
inline constexpr std::string_view class_words[] = {"live", "interactive", "batch"};
inline constexpr std::string_view kind_words[] = {"gguf", "paced"};
inline constexpr std::string_view device_words[] = {"cpu"};
inline constexpr std::string_view isa_words[] = {"auto", "scalar", "avx2", "avx512"};
inline constexpr std::string_view admission_words[] = {"prompt", "growth", "past_future"};
inline constexpr std::string_view format_words[] = {"raw32", "raw16"};

inline void assign(bool& member, const Value& value) {
  member = value.number != 0;
}
inline void assign(core::Duration& member, const Value& value) {
  member = core::Duration{static_cast<std::int64_t>(value.number)};
}
inline void assign(std::string& member, const Value& value) {
  member = value.text;
}
inline void assign(std::filesystem::path& member, const Value& value) {
  member = value.text;
}
inline void assign(std::vector<std::string>& member, const Value& value) {
  member = value.texts;
}
template <class T>
requires std::unsigned_integral<T> || std::is_enum_v<T>
void assign(T& member, const Value& value) {
  member = static_cast<T>(value.number);
}
template <class E>
void assign(EnumSet<E>& member, const Value& value) {
  member.bits = static_cast<std::uint32_t>(value.number);
}
template <class T>
void assign(std::optional<T>& member, const Value& value) {
  assign(member.emplace(), value);
}

inline Value show_value(const core::Duration& member) {
  return {static_cast<std::uint64_t>(member.count()), {}, {}};
}
inline Value show_value(const std::string& member) {
  return {0, member, {}};
}
inline Value show_value(const std::filesystem::path& member) {
  return {0, member.string(), {}};
}
inline Value show_value(const std::vector<std::string>& member) {
  return {0, {}, member};
}
template <class T>
requires std::unsigned_integral<T> || std::is_enum_v<T> Value show_value(const T& member) {
  return {static_cast<std::uint64_t>(member), {}, {}};
}
template <class E>
Value show_value(const EnumSet<E>& member) {
  return {member.bits, {}, {}};
}
template <class T>
Value show_value(const std::optional<T>& member) {
  return member ? show_value(*member) : Value{};
}

/// Gives `key` the setter and getter of `Member` of struct S (or of a base of S).
template <class S, auto Member>
constexpr KeySpec bind(KeySpec key) {
  key.set = [](void* target, const Value& value) { assign(static_cast<S*>(target)->*Member, value); };
  key.get = [](const void* target) { return show_value(static_cast<const S*>(target)->*Member); };
  return key;
}

std::span<const KeySpec> limit_keys();
std::span<const KeySpec> batching_keys();
std::span<const KeySpec> timing_keys();
std::span<const KeySpec> node_keys();
std::span<const KeySpec> pool_keys();
std::span<const KeySpec> spill_keys();
std::span<const KeySpec> disaggregation_keys();
std::span<const KeySpec> placement_keys();
std::span<const KeySpec> cache_aware_keys();
std::span<const KeySpec> dynamo_keys();
std::span<const KeySpec> preble_keys();

}  // namespace spillway::config
