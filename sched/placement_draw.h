#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/ids.h"
#include "core/philox.h"

namespace spillway::sched {

/// Random numbers of one placement: a pure function of the stream and of how many placements came before it (Philox4x32-10), so a
/// replay draws the same and nothing is stored but that number.
class PlacementDraw {
 public:
  PlacementDraw(const core::StreamKey& key, std::uint64_t number) : number_(number) {
    const std::uint64_t hash = std::hash<core::StreamKey>{}(key);
    key_ = {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)};
  }

  /// Uniform in [0, n), n > 0 (the bias of a multiply and shift is below n / 2^32).
  std::uint32_t below(std::uint32_t n) {
    if (next_ % 4 == 0) {
      words_ = core::philox4x32({next_ / 4, static_cast<std::uint32_t>(number_), static_cast<std::uint32_t>(number_ >> 32), 0}, key_);
    }
    return static_cast<std::uint32_t>((std::uint64_t{words_[next_++ % 4]} * n) >> 32);
  }

  /// Fills `out` with distinct numbers below `n` in the order drawn; returns how many there are: min(out.size(), n), or fewer when
  /// many draws in a row repeated earlier ones (then the sample is smaller, never wrong).
  std::size_t distinct(std::uint32_t n, std::span<std::uint32_t> out) {
    std::size_t found = 0;
    for (std::size_t tries = 0; found < out.size() && found < n && tries < 8 * out.size(); ++tries) {
      const std::uint32_t drawn = below(n);
      bool fresh = true;
      for (std::size_t i = 0; i < found; ++i) fresh = fresh && out[i] != drawn;
      if (fresh) out[found++] = drawn;
    }
    return found;
  }

 private:
  std::array<std::uint32_t, 2> key_{};
  std::uint64_t number_;
  std::uint32_t next_ = 0;
  std::array<std::uint32_t, 4> words_{};
};

}  // namespace spillway::sched
