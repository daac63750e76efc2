#include "sched/admission_forecast.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace spillway::sched {

std::uint32_t AnswerLengths::bucket_of(std::uint32_t length) {
  if (length < exact) return length;
  const auto octave = static_cast<std::uint32_t>(std::bit_width(length)) - 7;  // 64 to 127: octave 0
  return exact + octave * 16 + ((length >> (octave + 2)) & 15U);
}

std::uint64_t AnswerLengths::longest(std::uint32_t bucket) {
  if (bucket < exact) return bucket;
  const std::uint32_t octave = (bucket - exact) / 16;
  const std::uint64_t part = (bucket - exact) % 16 + 16;
  return ((part + 1) << (octave + 2)) - 1;
}

void AnswerLengths::record(std::uint32_t length) {
  if (samples_ >= samples_max) {
    samples_ = 0;
    for (auto& count : counts_) samples_ += count = static_cast<std::uint16_t>(count / 2);
  }
  ++counts_[bucket_of(length)];
  ++samples_;
}

std::uint32_t AnswerLengths::remaining(std::uint32_t generated, std::uint32_t tokens_max, std::uint32_t quantile_permille) const {
  const std::uint32_t most = tokens_max > generated ? tokens_max - generated : 1;
  std::uint32_t first = bucket_of(generated);
  if (longest(first) <= generated) ++first;
  std::uint64_t longer = 0;
  for (auto b = first; b < buckets; ++b) longer += counts_[b];
  if (longer == 0) return std::clamp(generated, 1U, most);
  const std::uint64_t rank = std::max<std::uint64_t>((longer * quantile_permille + 999) / 1000, 1);
  std::uint64_t seen = 0;
  for (auto b = first; b < buckets; ++b) {
    seen += counts_[b];
    if (seen >= rank) return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(longest(b) - generated, 1, most));
  }
  return most;
}

std::uint64_t predicted_peak(std::vector<ForecastEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.remaining > b.remaining; });
  std::uint64_t held = 0;
  std::uint64_t peak = 0;
  std::uint64_t count = 0;
  for (const auto& entry : entries) {
    held += entry.held;
    ++count;
    peak = std::max(peak, held + count * entry.remaining);
  }
  return peak;
}

std::string_view to_string(AdmissionReason reason) {
  switch (reason) {
    case AdmissionReason::admitted: return "admitted";
    case AdmissionReason::blocks: return "blocks";
    case AdmissionReason::forecast: return "forecast";
  }
  return "unknown";
}

}  // namespace spillway::sched
