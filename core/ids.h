#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace spillway::core {

/// A strong 64-bit id: two ids with different tags never mix.
template <class Tag>
struct Id {
  std::uint64_t value = 0;
  friend auto operator<=>(const Id&, const Id&) = default;
  explicit operator bool() const { return value != 0; }
};

/// Nodes, tenants and models are named by people. Inside the cores and on the wire the name is carried as its 64-bit
/// XXH3 digest (`name_id`), which every process computes alike; the config refuses two names with one digest.
using NodeId = Id<struct NodeTag>;
using TenantId = Id<struct TenantTag>;
using ModelId = Id<struct ModelTag>;
/// 64 random bits of a process, new at each start.
using Incarnation = Id<struct IncarnationTag>;
/// One transfer of a stream's pages from one node to another; unique within (source incarnation).
using TransferId = Id<struct TransferTag>;

/// 128 opaque bits: digests, client request ids.
struct U128 {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  friend auto operator<=>(const U128&, const U128&) = default;
  explicit operator bool() const { return (hi | lo) != 0; }
};

/// Digest of everything that decides KV bytes but the tokens.
struct KvId : U128 {};
/// Keyed digest of (salt, parent block, tokens): see core/digest.h.
struct BlockName : U128 {};
/// The client's id of a request.
struct RequestId : U128 {};

/// A request or stream is known by its tenant and the client's id.
struct StreamKey {
  TenantId tenant;
  RequestId request;
  friend auto operator<=>(const StreamKey&, const StreamKey&) = default;
};

/// The right to run a stream. Handed out by the owner, ordered by `counter` within one incarnation of the owner.
struct Epoch {
  Incarnation owner;
  std::uint64_t counter = 0;
  friend auto operator<=>(const Epoch&, const Epoch&) = default;
};

/// One loaded model on one device of one node: `index` counts the replicas of the node from 0.
struct ReplicaRef {
  NodeId node;
  std::uint32_t index = 0;
  friend auto operator<=>(const ReplicaRef&, const ReplicaRef&) = default;
};

using TokenId = std::int32_t;
/// Index of a block in one replica's device pool.
using BlockId = std::uint32_t;
inline constexpr BlockId no_block = 0xffffffffU;

/// 32 lower-case hex digits.
std::string to_hex(const U128& value);
/// Inverse of `to_hex`; also accepts a UUID with dashes. False when `text` is neither.
bool from_hex(std::string_view text, U128& value);
/// The id of a name: XXH3-64 of its bytes, 0 mapped to 1 so that 0 stays "none".
std::uint64_t name_id(std::string_view name);
inline NodeId node_id(std::string_view name) {
  return {name_id(name)};
}
inline TenantId tenant_id(std::string_view name) {
  return {name_id(name)};
}
inline ModelId model_id(std::string_view name) {
  return {name_id(name)};
}

}  // namespace spillway::core

template <class Tag>
struct std::hash<spillway::core::Id<Tag>> {
  std::size_t operator()(const spillway::core::Id<Tag>& id) const noexcept { return id.value * 0x9e3779b97f4a7c15ULL; }
};
template <>
struct std::hash<spillway::core::U128> {
  std::size_t operator()(const spillway::core::U128& u) const noexcept { return (u.hi ^ (u.lo * 0x9e3779b97f4a7c15ULL)); }
};
template <>
struct std::hash<spillway::core::BlockName> : std::hash<spillway::core::U128> {};
template <>
struct std::hash<spillway::core::StreamKey> {
  std::size_t operator()(const spillway::core::StreamKey& k) const noexcept {
    return std::hash<spillway::core::U128>{}(k.request) ^ (k.tenant.value * 0xc2b2ae3d27d4eb4fULL);
  }
};
