#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/bytes.h"

namespace spillway::net {

/// Eight-byte words over received bytes, as Cap'n Proto wants them. ZeroMQ gives frames at any address (those that share a TCP read
/// lie at odd offsets), so a misaligned one is copied; an aligned one is used in place and must outlive this. A rest of fewer than
/// 8 bytes is not seen.
class AlignedFrame {
 public:
  explicit AlignedFrame(core::Bytes bytes) {
    const auto count = bytes.size() / sizeof(std::uint64_t);
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) == 0) {
      words_ = {reinterpret_cast<const std::uint64_t*>(bytes.data()), count};
      return;
    }
    copy_.resize(count);
    if (count > 0) std::memcpy(copy_.data(), bytes.data(), count * sizeof(std::uint64_t));
    words_ = copy_;
  }
  AlignedFrame(const AlignedFrame&) = delete;
  AlignedFrame& operator=(const AlignedFrame&) = delete;

  std::span<const std::uint64_t> words() const { return words_; }
  bool copied() const { return !copy_.empty(); }

 private:
  std::vector<std::uint64_t> copy_;
  std::span<const std::uint64_t> words_;
};

}  // namespace spillway::net
