#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/ids.h"

namespace spillway::core {

/// XXH3-64 of `bytes`: checksums of pages and frames. Not secret, not collision-proof against an attacker.
std::uint64_t checksum64(Bytes bytes, std::uint64_t seed = 0);
/// XXH3-128 of `bytes`.
U128 checksum128(Bytes bytes);

/// 256-bit secret of a tenant; block names are keyed by it, so one tenant cannot guess another's.
using TenantSecret = std::array<std::byte, 32>;

/// BLAKE2b-128 (libsodium), fed piece by piece. Unkeyed for public digests (KvId), keyed for block names and seeds.
class Digest128 {
 public:
  Digest128();
  explicit Digest128(const TenantSecret& key);
  ~Digest128();
  Digest128(const Digest128&) = delete;
  Digest128& operator=(const Digest128&) = delete;

  Digest128& add(Bytes bytes);
  /// Little-endian bytes of an integer; a length is added before variable-size data by the caller where ambiguity matters.
  Digest128& add_u64(std::uint64_t value);
  /// Length, then bytes.
  Digest128& add_text(std::string_view text);
  /// Ends the digest; call once.
  U128 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 (libsodium), fed piece by piece: the digest that publishers of files print.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& add(Bytes bytes);
  /// Ends the digest, as 64 lower-case hex digits; call once.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Parent of the first block of a stream under an adapter: blocks of different adapters never have one name. Zero without adapter.
BlockName root_name(const TenantSecret& secret, std::string_view adapter);
/// Name of a full block: keyed digest of (salt, parent name, tokens). `parent` is root_name for the first block.
BlockName block_name(const TenantSecret& secret, std::uint64_t salt, const BlockName& parent, std::span<const TokenId> tokens);

/// Seed of a request that set none: keyed digest of (tenant, request id), so every router draws the same.
std::uint64_t derived_seed(const TenantSecret& secret, const StreamKey& key);

/// The secret of a tenant from the cluster's secret: keyed digest of the tenant's name. Both stay on routers.
TenantSecret tenant_secret(const TenantSecret& cluster, std::string_view tenant);

/// 64 bits from the operating system (libsodium). For incarnations and ids; never used by a decision.
std::uint64_t random_u64();

}  // namespace spillway::core
