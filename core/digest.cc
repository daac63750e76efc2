#include "core/digest.h"

#include <sodium.h>
#include <xxhash.h>

#include <cstring>

#include "core/assert.h"

namespace spillway::core {

namespace {

U128 from_le(const unsigned char* bytes) {
  U128 value;
  for (int i = 7; i >= 0; --i) {
    value.lo = (value.lo << 8) | bytes[i];
    value.hi = (value.hi << 8) | bytes[8 + i];
  }
  return value;
}

}  // namespace

std::uint64_t checksum64(Bytes bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

U128 checksum128(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

struct Digest128::State {
  crypto_generichash_state blake;
};

Digest128::Digest128() : state_(std::make_unique<State>()) {
  SPILLWAY_ASSERT(crypto_generichash_init(&state_->blake, nullptr, 0, 16) == 0);
}

Digest128::Digest128(const TenantSecret& key) : state_(std::make_unique<State>()) {
  SPILLWAY_ASSERT(crypto_generichash_init(&state_->blake, reinterpret_cast<const unsigned char*>(key.data()), key.size(), 16) == 0);
}

Digest128::~Digest128() = default;

Digest128& Digest128::add(Bytes bytes) {
  crypto_generichash_update(&state_->blake, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return *this;
}

Digest128& Digest128::add_u64(std::uint64_t value) {
  unsigned char le[8];
  for (int i = 0; i < 8; ++i) le[i] = static_cast<unsigned char>(value >> (8 * i));
  crypto_generichash_update(&state_->blake, le, sizeof le);
  return *this;
}

Digest128& Digest128::add_text(std::string_view text) {
  add_u64(text.size());
  return add(as_bytes(text));
}

U128 Digest128::finish() {
  unsigned char out[16];
  crypto_generichash_final(&state_->blake, out, sizeof out);
  return from_le(out);
}

struct Sha256::State {
  crypto_hash_sha256_state sha;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  SPILLWAY_ASSERT(crypto_hash_sha256_init(&state_->sha) == 0);
}

Sha256::~Sha256() = default;

Sha256& Sha256::add(Bytes bytes) {
  crypto_hash_sha256_update(&state_->sha, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return *this;
}

std::string Sha256::finish_hex() {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256_final(&state_->sha, digest);
  constexpr char hex[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += hex[byte >> 4];
    text += hex[byte & 15];
  }
  return text;
}

BlockName root_name(const TenantSecret& secret, std::string_view adapter) {
  if (adapter.empty()) return {};
  Digest128 digest(secret);
  return {digest.add_text("adapter").add_text(adapter).finish()};
}

BlockName block_name(const TenantSecret& secret, std::uint64_t salt, const BlockName& parent, std::span<const TokenId> tokens) {
  // One flat buffer and one call: this runs for every 16 tokens of every prompt.
  unsigned char input[24 + 4 * 256];
  SPILLWAY_ASSERT(tokens.size() <= 256);
  std::size_t size = 0;
  const auto put = [&](std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) input[size++] = static_cast<unsigned char>(value >> (8 * i));
  };
  put(salt, 8);
  put(parent.hi, 8);
  put(parent.lo, 8);
  for (const TokenId token : tokens) put(static_cast<std::uint32_t>(token), 4);
  unsigned char out[16];
  SPILLWAY_ASSERT(crypto_generichash(out, sizeof out, input, size, reinterpret_cast<const unsigned char*>(secret.data()), secret.size()) ==
                  0);
  return {from_le(out)};
}

std::uint64_t derived_seed(const TenantSecret& secret, const StreamKey& key) {
  Digest128 digest(secret);
  digest.add_text("seed").add_u64(key.tenant.value).add_u64(key.request.hi).add_u64(key.request.lo);
  return digest.finish().lo;
}

TenantSecret tenant_secret(const TenantSecret& cluster, std::string_view tenant) {
  TenantSecret secret;
  SPILLWAY_ASSERT(crypto_generichash(reinterpret_cast<unsigned char*>(secret.data()), secret.size(),
                                     reinterpret_cast<const unsigned char*>(tenant.data()), tenant.size(),
                                     reinterpret_cast<const unsigned char*>(cluster.data()), cluster.size()) == 0);
  return secret;
}

std::uint64_t random_u64() {
  SPILLWAY_ASSERT(sodium_init() >= 0);
  std::uint64_t value = 0;
  randombytes_buf(&value, sizeof value);
  return value;
}

}  // namespace spillway::core
