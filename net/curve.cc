#include "net/curve.h"

#include <zmq.h>

#include <array>
#include <cstdint>

namespace spillway::net {

namespace {
constexpr std::size_t z85_bytes = 40;
constexpr std::size_t key_bytes = 32;
using Z85 = std::array<char, z85_bytes + 1>;
}  // namespace

core::Result<KeyPair> make_key_pair() {
  Z85 public_key{};
  Z85 secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    return core::fail(core::Errc::unsupported, "libzmq was built without CURVE; install one with libsodium");
  }
  return KeyPair{std::string(public_key.data(), z85_bytes), std::string(secret_key.data(), z85_bytes)};
}

core::Result<std::string> public_key_of(std::string_view secret_key) {
  Z85 public_key{};
  if (!is_key(secret_key) || zmq_curve_public(public_key.data(), std::string(secret_key).c_str()) != 0) {
    return core::fail(core::Errc::bad_argument, "a CURVE key is 40 characters of Z85; make a pair with `spillway keys`");
  }
  return std::string(public_key.data(), z85_bytes);
}

bool is_key(std::string_view text) {
  std::array<std::uint8_t, key_bytes> bytes{};
  return text.size() == z85_bytes && zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

std::string encode_key(std::string_view bytes32) {
  Z85 text{};
  if (bytes32.size() != key_bytes) return {};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes32.data()), bytes32.size());
  return {text.data(), z85_bytes};
}

}  // namespace spillway::net
