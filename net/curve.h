#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace spillway::net {

/// A CURVE key pair, each half 40 characters of Z85.
struct KeyPair {
  std::string public_key;
  std::string secret_key;

  bool empty() const { return public_key.empty() && secret_key.empty(); }
  friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

/// A fresh pair from the system's random source. Error: unsupported when libzmq was built without CURVE.
core::Result<KeyPair> make_key_pair();

/// The public half of a secret key. Error: bad_argument when `secret_key` is not 40 characters of Z85.
core::Result<std::string> public_key_of(std::string_view secret_key);

/// Whether `text` is 40 characters of Z85 that decode to 32 bytes.
bool is_key(std::string_view text);

/// Z85 of 32 bytes, as keys are written in the cluster file.
std::string encode_key(std::string_view bytes32);

}  // namespace spillway::net
