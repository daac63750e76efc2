#include "core/digest.h"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <set>
#include <vector>

// Expected digests were computed with other implementations: BLAKE2b by Python's hashlib, XXH3 by the reference `xxhash` module.
namespace {

using namespace spillway::core;

TenantSecret counting_key() {
  TenantSecret key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  return key;
}

ByteVector counting_bytes(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

std::vector<TokenId> counting_tokens(std::size_t size) {
  std::vector<TokenId> tokens(size);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

/// A digest in the order of its bytes, as other tools print it: our `lo` holds the first eight bytes, little-endian.
std::string printed(const U128& value) {
  const auto swapped = [](std::uint64_t word) { return __builtin_bswap64(word); };
  return to_hex(U128{swapped(value.lo), swapped(value.hi)});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(digest)

BOOST_AUTO_TEST_CASE(blake2b_128_of_known_inputs) {
  BOOST_TEST(printed(Digest128().finish()) == "cae66941d9efbd404e4d88758ea67670");
  BOOST_TEST(printed(Digest128().add(as_bytes("abc")).finish()) == "cf4ab791c62b8d2b2109c90275287816");
  BOOST_TEST(printed(Digest128(counting_key()).add(as_bytes("abc")).finish()) == "1a64be47e4729d951c302ee543f97cf3");
}

BOOST_AUTO_TEST_CASE(pieces_give_the_digest_of_the_whole) {
  const ByteVector bytes = counting_bytes(1000);
  const U128 whole = Digest128().add(bytes).finish();
  for (const std::size_t cut : {1U, 127U, 128U, 129U, 999U}) {
    const U128 pieces = Digest128().add(Bytes(bytes).first(cut)).add(Bytes(bytes).subspan(cut)).finish();
    BOOST_TEST((pieces == whole), "cut at " << cut);
  }
}

BOOST_AUTO_TEST_CASE(text_is_length_prefixed) {
  const U128 left = Digest128().add_text("ab").add_text("c").finish();
  const U128 right = Digest128().add_text("a").add_text("bc").finish();
  BOOST_TEST((left != right));
}

BOOST_AUTO_TEST_CASE(xxh3_of_known_inputs) {
  BOOST_TEST(checksum64({}) == 0x2d06800538d394c2U);
  BOOST_TEST(checksum64(as_bytes("abc")) == 0x78af5f94892f3950U);
  BOOST_TEST(checksum64(counting_bytes(256)) == 0x9408a4433b952d71U);
  BOOST_TEST(checksum64(counting_bytes(256), 42) == 0xc1a55ca180b3fd0aU);
  BOOST_TEST(to_hex(checksum128({})) == "99aa06d3014798d86001c324468d497f");
  BOOST_TEST(to_hex(checksum128(counting_bytes(256))) == "f1f8a93f50849ac39408a4433b952d71");
}

BOOST_AUTO_TEST_CASE(one_flipped_bit_changes_the_checksum) {
  ByteVector bytes = counting_bytes(300);
  const std::uint64_t before = checksum64(bytes);
  for (auto& byte : bytes) {
    byte ^= std::byte{0x10};
    BOOST_REQUIRE(checksum64(bytes) != before);
    byte ^= std::byte{0x10};
  }
  BOOST_TEST(checksum64(bytes) == before);
}

BOOST_AUTO_TEST_CASE(block_name_is_the_keyed_digest_of_salt_parent_and_tokens) {
  const BlockName parent{{1, 2}};
  const BlockName name = block_name(counting_key(), 7, parent, counting_tokens(16));
  BOOST_TEST(printed(name) == "6f7cf5d14778d0bc9f4b502572089b06");
}

BOOST_AUTO_TEST_CASE(every_input_of_a_block_name_counts) {
  const TenantSecret key = counting_key();
  TenantSecret other_key = key;
  other_key[31] ^= std::byte{1};
  const auto tokens = counting_tokens(16);
  auto other_tokens = tokens;
  other_tokens[15] = 99;
  const BlockName parent{{1, 2}};
  const std::set<U128> names = {
      block_name(key, 7, parent, tokens),
      block_name(other_key, 7, parent, tokens),
      block_name(key, 8, parent, tokens),
      block_name(key, 7, BlockName{{2, 1}}, tokens),
      block_name(key, 7, BlockName{}, tokens),
      block_name(key, 7, parent, other_tokens),
      block_name(key, 7, parent, std::span(tokens).first(15)),
  };
  BOOST_TEST(names.size() == 7U);
  BOOST_TEST((block_name(key, 7, parent, tokens) == block_name(key, 7, parent, tokens)));
}

BOOST_AUTO_TEST_CASE(derived_seed_is_the_same_on_every_router) {
  const StreamKey key{TenantId{5}, RequestId{{1, 2}}};
  BOOST_TEST(derived_seed(counting_key(), key) == 0x94582b87bfef1da4U);
  BOOST_TEST(derived_seed(counting_key(), StreamKey{TenantId{6}, RequestId{{1, 2}}}) != 0x94582b87bfef1da4U);
}

BOOST_AUTO_TEST_CASE(tenant_secret_is_the_keyed_digest_of_the_name) {
  const TenantSecret secret = tenant_secret(counting_key(), "live-captions");
  BOOST_TEST(std::to_integer<int>(secret[0]) == 0xc5);
  BOOST_TEST(std::to_integer<int>(secret[1]) == 0xff);
  BOOST_TEST(std::to_integer<int>(secret[31]) == 0x7f);
  BOOST_TEST((tenant_secret(counting_key(), "live-caption") != secret));
}

BOOST_AUTO_TEST_CASE(random_ids_do_not_repeat) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_u64());
  BOOST_TEST(seen.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(sha256_is_that_of_fips_180) {
  BOOST_TEST(Sha256().finish_hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(Sha256().add(as_bytes("a")).add(as_bytes("bc")).finish_hex() ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_SUITE_END()
