#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace spillway::sched {

/// Lengths of the answers of one class that ended lately, in tokens: one bucket per length below 64, then sixteen per octave. Past
/// 1,024 answers all counts are halved, so what is recent counts most.
class AnswerLengths {
 public:
  void record(std::uint32_t length);
  /// Answers counted, older ones in part.
  std::uint32_t samples() const { return samples_; }
  /// Tokens that an answer of `generated` so far still gets: the quantile of those answers that were longer. An answer longer than
  /// all of them is taken to be at its half. At least 1, at most tokens_max - generated.
  std::uint32_t remaining(std::uint32_t generated, std::uint32_t tokens_max, std::uint32_t quantile_permille) const;

 private:
  static constexpr std::uint32_t exact = 64;
  static constexpr std::uint32_t buckets = exact + 26 * 16;
  static constexpr std::uint32_t samples_max = 1024;
  static std::uint32_t bucket_of(std::uint32_t length);
  /// Longest length of the bucket.
  static std::uint64_t longest(std::uint32_t bucket);

  std::array<std::uint16_t, buckets> counts_{};
  std::uint32_t samples_ = 0;
};

/// One choice that runs, or would: KV tokens it holds (whole blocks; of a shared block its part) and tokens it still gets.
struct ForecastEntry {
  std::uint32_t held = 0;
  std::uint32_t remaining = 0;
};

/// Most KV tokens that these need at once, when each ends after its `remaining` tokens and frees what it holds: with the entries in
/// descending order of remaining, max over k of remaining_k x k + sum of held_1..k (Past-Future scheduler, LightLLM). Reorders them.
std::uint64_t predicted_peak(std::vector<ForecastEntry>& entries);

enum class AdmissionReason : std::uint8_t {
  admitted,
  blocks,    ///< its known tokens, and the room kept to grow, do not fit now
  forecast,  ///< they fit now, but those that run would need more than there is later
};
std::string_view to_string(AdmissionReason reason);

/// Whether a queued stream may begin, with what was compared: blocks needed against available, or the predicted peak against the
/// capacity in KV tokens.
struct AdmissionDecision {
  AdmissionReason reason = AdmissionReason::admitted;
  std::uint64_t need = 0;
  std::uint64_t have = 0;
  bool admitted() const { return reason == AdmissionReason::admitted; }
};

}  // namespace spillway::sched
