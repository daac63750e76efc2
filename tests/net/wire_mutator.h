#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "core/bytes.h"

/// Finds every count, size, offset, type and length of a Cap'n Proto frame of one segment (capnproto.org/encoding.html) and
/// damages them in turn.
namespace spillway::net::test {

class WireMutator {
 public:
  enum class Site { segment_table, pointer, tag, data };

  explicit WireMutator(const core::ByteVector& frame) : words_(frame.size() / 8) {
    std::memcpy(words_.data(), frame.data(), words_.size() * 8);
    sites_.emplace_back(0, Site::segment_table);
    walk(1);
  }

  std::size_t sites() const { return sites_.size(); }

  /// Calls use(damaged frame) for every damage of every site.
  void each(const std::function<void(const core::ByteVector&)>& use) {
    for (const auto& [at, site] : sites_) {
      const auto before = words_[at];
      for (const auto value : damages(before, site)) {
        if (value == before) continue;
        words_[at] = value;
        use(bytes(words_.size()));
      }
      words_[at] = before;
    }
    for (std::size_t size = 0; size < words_.size(); ++size) use(bytes(size));
  }

 private:
  static std::uint64_t with(std::uint64_t word, int shift, int bits, std::uint64_t value) {
    const auto mask = ((std::uint64_t{1} << bits) - 1) << shift;
    return (word & ~mask) | ((value << shift) & mask);
  }
  static std::uint64_t part(std::uint64_t word, int shift, int bits) { return (word >> shift) & ((std::uint64_t{1} << bits) - 1); }

  static std::vector<std::uint64_t> damages(std::uint64_t word, Site site) {
    std::vector<std::uint64_t> all;
    const auto vary = [&](int shift, int bits) {
      const auto value = part(word, shift, bits);
      const auto most = (std::uint64_t{1} << bits) - 1;
      for (const auto other : {value + 1, value - 1, std::uint64_t{0}, value * 2, most, most / 2, most / 2 + 1})
        all.push_back(with(word, shift, bits, other));
    };
    switch (site) {
      case Site::segment_table: vary(0, 32), vary(32, 32); break;
      case Site::pointer:
      case Site::tag:
        all.push_back(0);
        for (std::uint64_t kind = 0; kind < 4; ++kind) all.push_back(with(word, 0, 2, kind));
        vary(2, 30);                 // offset, or a tag's count
        vary(32, 16), vary(48, 16);  // data and pointer sizes
        for (std::uint64_t size = 0; size < 8; ++size) all.push_back(with(word, 32, 3, size));
        vary(35, 29);  // length of a list
        break;
      case Site::data:
        for (int shift = 0; shift < 64; shift += 16)
          all.push_back(with(word, shift, 16, 0xffff)), all.push_back(with(word, shift, 16, 0x1234));
        for (int shift = 0; shift < 64; shift += 8) all.push_back(with(word, shift, 8, 0xff));
        all.insert(all.end(), {0, ~std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 1});
        break;
    }
    return all;
  }

  void walk_struct(std::size_t at, std::size_t data, std::size_t pointers) {
    for (std::size_t i = 0; i < data; ++i) sites_.emplace_back(at + i, Site::data);
    for (std::size_t i = 0; i < pointers; ++i) walk(at + data + i);
  }
  void walk(std::size_t at) {
    const auto word = words_.at(at);
    sites_.emplace_back(at, Site::pointer);
    if (word == 0) return;
    const auto offset = static_cast<std::int32_t>(static_cast<std::uint32_t>(word)) >> 2;
    const auto target = static_cast<std::size_t>(static_cast<std::int64_t>(at) + 1 + offset);
    if (part(word, 0, 2) == 0) return walk_struct(target, part(word, 32, 16), part(word, 48, 16));
    if (part(word, 0, 2) != 1) return;
    const auto count = part(word, 35, 29);
    const auto element = part(word, 32, 3);
    if (element == 6) {
      for (std::size_t i = 0; i < count; ++i) walk(target + i);
    } else if (element == 7) {
      const auto tag = words_.at(target);
      sites_.emplace_back(target, Site::tag);
      const auto data = part(tag, 32, 16);
      const auto pointers = part(tag, 48, 16);
      for (std::size_t i = 0; i < part(tag, 2, 30); ++i) walk_struct(target + 1 + i * (data + pointers), data, pointers);
    }
  }

  core::ByteVector bytes(std::size_t words) const {
    core::ByteVector frame(words * 8);
    if (words > 0) std::memcpy(frame.data(), words_.data(), frame.size());
    return frame;
  }

  std::vector<std::uint64_t> words_;
  std::vector<std::pair<std::size_t, Site>> sites_;
};

}  // namespace spillway::net::test
