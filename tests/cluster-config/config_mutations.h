#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spillway::config {

/// Random numbers that are the same on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_{seed} {}
  /// Uniform enough below `bound` (at least 1).
  std::size_t below(std::size_t bound);

 private:
  std::uint64_t seed_;
  std::uint32_t draws_ = 0;
};

/// Every `key = value` line of `text` in turn: the value replaced by each of a list of hostile ones, the line dropped, doubled,
/// misspelt, moved to the front, its type changed; every table header dropped, doubled and renamed.
std::vector<std::string> structured_mutations(const std::string& text);

/// A text changed at one to eight places by flips, inserts, cuts, copies and pieces of TOML; never longer than 64 KiB.
std::string random_mutation(const std::string& text, Dice& dice);

}  // namespace spillway::config
