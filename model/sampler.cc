#include "model/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "core/assert.h"
#include "core/philox.h"
#include "kernels/math.h"

namespace spillway::model {

namespace {

constexpr float lowest = -std::numeric_limits<float>::infinity();

float clean(float logit) {
  if (logit != logit) return lowest;
  return std::min(logit, std::numeric_limits<float>::max());
}

/// Largest logit, NaN left out; -infinity when there is none. Sixteen running maxima, since one would be a chain.
float max_of(std::span<const float> logits) {
  std::array<float, 16> lanes;
  lanes.fill(lowest);
  const std::size_t whole = logits.size() / lanes.size() * lanes.size();
  for (std::size_t i = 0; i < whole; i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane] = logits[i + lane] > lanes[lane] ? logits[i + lane] : lanes[lane];
  }
  float max = lowest;
  for (std::size_t i = whole; i < logits.size(); ++i) max = logits[i] > max ? logits[i] : max;
  for (const float lane : lanes) max = lane > max ? lane : max;
  return clean(max);
}

/// Buckets of top-p and typical-p: 1/64 wide, the last one open.
constexpr std::size_t buckets = 4096;
std::size_t bucket_of(double distance) {
  distance *= 64.0;
  return distance < static_cast<double>(buckets - 1) ? static_cast<std::size_t>(distance) : buckets - 1;
}

core::Result<void> refuse(const char* field, float value, const char* wanted) {
  return core::fail(core::Errc::bad_argument, std::string(field) + " = " + std::to_string(value) + ": want " + wanted);
}

core::Result<void> check_bias(std::span<const core::LogitBias> biases) {
  constexpr std::size_t biases_max = 1024;
  if (biases.size() > biases_max)
    return core::fail(core::Errc::bad_argument,
                      "logit_bias: " + std::to_string(biases.size()) + " tokens, want at most " + std::to_string(biases_max));
  std::vector<core::TokenId> tokens;
  for (const auto& bias : biases) {
    if (!(std::abs(bias.value) <= 100.0F))
      return refuse(("logit_bias of token " + std::to_string(bias.token)).c_str(), bias.value, "-100 to 100");
    tokens.push_back(bias.token);
  }
  std::sort(tokens.begin(), tokens.end());
  const auto twice = std::adjacent_find(tokens.begin(), tokens.end());
  if (twice != tokens.end())
    return core::fail(core::Errc::bad_argument, "logit_bias: token " + std::to_string(*twice) + " is there twice: give it one value");
  return {};
}

core::Result<void> check_dry(const core::Dry& dry) {
  constexpr std::size_t breakers_max = 64;
  constexpr std::size_t breaker_bytes_max = 64;
  if (!(dry.multiplier >= 0.0F && dry.multiplier <= 100.0F)) return refuse("dry_multiplier", dry.multiplier, "0 (off) to 100");
  if (!(dry.base >= 1.0F && dry.base <= 100.0F)) return refuse("dry_base", dry.base, "1 to 100");
  if (dry.breakers.size() > breakers_max)
    return core::fail(core::Errc::bad_argument, "dry_sequence_breakers: " + std::to_string(dry.breakers.size()) + " texts, want at most " +
                                                    std::to_string(breakers_max));
  for (const auto& breaker : dry.breakers) {
    if (breaker.empty() || breaker.size() > breaker_bytes_max)
      return core::fail(core::Errc::bad_argument, "dry_sequence_breakers: a text of " + std::to_string(breaker.size()) +
                                                      " bytes, want 1 to " + std::to_string(breaker_bytes_max));
  }
  return {};
}

}  // namespace

core::Result<void> check_sampling(const core::Sampling& sampling) {
  if (!(sampling.temperature >= 0.0F && sampling.temperature <= 100.0F))
    return refuse("temperature", sampling.temperature, "0 (greedy) to 100");
  if (!(sampling.top_p > 0.0F && sampling.top_p <= 1.0F)) return refuse("top_p", sampling.top_p, "above 0 up to 1 (off)");
  if (!(sampling.min_p >= 0.0F && sampling.min_p <= 1.0F)) return refuse("min_p", sampling.min_p, "0 (off) to 1");
  if (!(sampling.typical_p > 0.0F && sampling.typical_p <= 1.0F)) return refuse("typical_p", sampling.typical_p, "above 0 up to 1 (off)");
  if (!(sampling.repetition_penalty > 0.0F && sampling.repetition_penalty <= 100.0F))
    return refuse("repetition_penalty", sampling.repetition_penalty, "above 0 up to 100; 1 is off");
  if (!(std::abs(sampling.presence_penalty) <= 2.0F)) return refuse("presence_penalty", sampling.presence_penalty, "-2 to 2; 0 is off");
  if (!(std::abs(sampling.frequency_penalty) <= 2.0F)) return refuse("frequency_penalty", sampling.frequency_penalty, "-2 to 2; 0 is off");
  if (auto checked = check_bias(sampling.logit_bias); !checked) return checked;
  return check_dry(sampling.dry);
}

core::TokenId greedy(std::span<const float> logits) {
  const float max = max_of(logits);
  for (std::size_t i = 0; i < logits.size() && max != lowest; ++i) {
    if (logits[i] >= max) return static_cast<core::TokenId>(i);
  }
  return 0;
}

void Sampler::sample(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index,
                     std::uint32_t logprobs, core::TokenOut& out) {
  report(logits, choose(logits, sampling, choice, index), logprobs, out);
}

core::TokenId Sampler::choose(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index) {
  SPILLWAY_ASSERT(!logits.empty());
  return sampling.temperature > 0.0F ? draw(logits, sampling, choice, index) : greedy(logits);
}

void Sampler::report(std::span<const float> logits, core::TokenId token, std::uint32_t logprobs, core::TokenOut& out) {
  SPILLWAY_ASSERT(token >= 0 && static_cast<std::size_t>(token) < logits.size());
  out.token = token;
  out.logprob = 0.0F;
  out.top.clear();
  if (logprobs == 0) return;
  const float max = max_of(logits);
  const double sum = max == lowest ? 0.0 : log_sum(logits, max);
  const auto logprob = [&](float logit) {
    if (logit == lowest) return logprob_floor;
    return std::max(logprob_floor, static_cast<float>(static_cast<double>(logit) - static_cast<double>(max) - sum));
  };
  out.logprob = logprob(clean(logits[static_cast<std::size_t>(token)]));
  select_best(logits, logprobs);
  for (const Entry& entry : entries_) out.top.emplace_back(static_cast<core::TokenId>(entry.id), logprob(entry.logit));
}

/// weights_[i] = exp((logits[i] - max) / temperature).
void Sampler::weigh(std::span<const float> logits, float max, float temperature) {
  weights_.resize(logits.size());
  const auto m = static_cast<double>(max);
  const auto t = static_cast<double>(temperature);
  for (std::size_t i = 0; i < logits.size(); ++i) weights_[i] = static_cast<float>((static_cast<double>(clean(logits[i])) - m) / t);
  kernels::exp(weights_.data(), weights_.data(), weights_.size());
}

/// ln of the sum of exp(x - max) over the row: eight running sums, then a fixed tree.
double Sampler::log_sum(std::span<const float> logits, float max) {
  weigh(logits, max, 1.0F);
  weights_.resize((logits.size() + 7) / 8 * 8, 0.0F);
  std::array<double, 8> lanes{};
  for (std::size_t i = 0; i < weights_.size(); i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane] += static_cast<double>(weights_[i + lane]);
  }
  return kernels::log_f64(((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])));
}

/// entries_ = the `count` best, in falling order.
void Sampler::select_best(std::span<const float> logits, std::size_t count) {
  count = std::min(count, logits.size());
  entries_.clear();
  // A heap whose front is the worst kept: nearly every block of logits fails one comparison.
  constexpr std::size_t heap_max = 256;
  constexpr std::size_t block = 16;
  if (count > heap_max) {
    for (std::uint32_t i = 0; i < logits.size(); ++i) entries_.push_back({clean(logits[i]), i});
    std::nth_element(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count - 1), entries_.end(), better);
    entries_.resize(count);
    std::sort(entries_.begin(), entries_.end(), better);
    return;
  }
  for (std::size_t from = 0; from < logits.size(); from += block) {
    const std::span<const float> part = logits.subspan(from, std::min(block, logits.size() - from));
    if (entries_.size() == count) {
      const float worst = entries_.front().logit;
      bool any = false;
      for (const float logit : part) any |= logit > worst;
      if (!any) continue;
    }
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Entry entry{clean(part[i]), static_cast<std::uint32_t>(from + i)};
      if (entries_.size() == count) {
        if (!better(entry, entries_.front())) continue;
        std::pop_heap(entries_.begin(), entries_.end(), better);
        entries_.pop_back();
      }
      entries_.push_back(entry);
      std::push_heap(entries_.begin(), entries_.end(), better);
    }
  }
  std::sort_heap(entries_.begin(), entries_.end(), better);
}

/// Over the candidates in the order of `before`, which is that of `distance` or finer: the weights of those behind `share` of the mass
/// become 0.
template <class Distance, class Before>
void Sampler::cut_mass(double share, Distance distance, Before before) {
  buckets_.assign(buckets, 0.0);
  double total = 0.0;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const auto weight = static_cast<double>(weights_[i]);
    if (weight == 0.0) continue;
    total += weight;
    buckets_[bucket_of(distance(i))] += weight;
  }
  const double wanted = share * total;
  double mass = 0.0;
  std::size_t border = 0;
  while (border + 1 < buckets && mass + buckets_[border] < wanted) mass += buckets_[border++];
  border_.clear();
  for (std::uint32_t i = 0; i < logits_.size(); ++i) {
    if (weights_[i] == 0.0F) continue;
    const std::size_t bucket = bucket_of(distance(i));
    if (bucket == border) border_.push_back(i);
    if (bucket > border) weights_[i] = 0.0F;
  }
  std::sort(border_.begin(), border_.end(), before);
  for (std::size_t i = 0; i < border_.size(); ++i) {
    float& weight = weights_[border_[i]];
    const bool keep = mass < wanted || (border == 0 && i == 0);
    mass += static_cast<double>(weight);
    if (!keep) weight = 0.0F;
  }
}

void Sampler::cut_top(double top_p, double max, double temperature) {
  const auto distance = [&](std::size_t i) { return (max - static_cast<double>(logits_[i])) / temperature; };
  cut_mass(top_p, distance, [&](std::uint32_t a, std::uint32_t b) { return better({logits_[a], a}, {logits_[b], b}); });
}

void Sampler::cut_typical(double typical_p, double max, double temperature) {
  const auto surprise = [&](std::size_t i) { return (max - static_cast<double>(logits_[i])) / temperature; };
  double mass = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const auto weight = static_cast<double>(weights_[i]);
    if (weight == 0.0) continue;  // its surprise may be infinite
    mass += weight;
    sum += weight * surprise(i);
  }
  const double mean = sum / mass;
  const auto distance = [&](std::size_t i) { return std::abs(surprise(i) - mean); };
  cut_mass(typical_p, distance, [&](std::uint32_t a, std::uint32_t b) {
    const double of_a = distance(a);
    const double of_b = distance(b);
    return of_a != of_b ? of_a < of_b : a < b;
  });
}

core::TokenId Sampler::draw(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index) {
  const float max_logit = max_of(logits);
  if (max_logit == lowest) return 0;
  ids_.clear();
  logits_.clear();
  if (sampling.top_k != 0 && sampling.top_k < logits.size()) {
    select_best(logits, sampling.top_k);
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
    for (const Entry& entry : entries_) logits_.push_back(entry.logit), ids_.push_back(entry.id);
  } else {
    logits_.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) logits_[i] = clean(logits[i]);
  }
  weigh(logits_, max_logit, sampling.temperature);
  const float floor = std::min(sampling.min_p, 1.0F);
  for (float& weight : weights_) weight = weight < floor ? 0.0F : weight;
  const auto max = static_cast<double>(max_logit);
  const auto temperature = static_cast<double>(sampling.temperature);
  if (sampling.typical_p < 1.0F) cut_typical(static_cast<double>(sampling.typical_p), max, temperature);
  if (sampling.top_p < 1.0F) cut_top(static_cast<double>(sampling.top_p), max, temperature);

  double total = 0.0;
  for (const float weight : weights_) total += static_cast<double>(weight);
  const double target = static_cast<double>(core::philox_uniform(sampling.seed, choice, index)) * total;
  double sum = 0.0;
  std::size_t drawn = 0;  // the sums are the same and u < 1, so the loop ends in its break
  for (; drawn + 1 < weights_.size(); ++drawn) {
    sum += static_cast<double>(weights_[drawn]);
    if (sum > target) break;
  }
  return static_cast<core::TokenId>(ids_.empty() ? drawn : ids_[drawn]);
}

}  // namespace spillway::model
