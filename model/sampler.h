#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/request.h"
#include "core/result.h"

/// The next token from a row of logits: a pure function of (logits, sampling, choice, index). No hidden state, so a stream
/// that moved draws on as if it had not. Weights come from kernels::exp (the same bits on every instruction set), all sums are
/// float64 in a fixed order: equal logits give equal bits on every machine.
///
/// Order, as in vLLM: temperature, min-p, top-k, top-p, draw.
///   temperature  w_i = exp((x_i - max x) / T), the exponent rounded to float; 0 below e^-87. T = 0 is greedy: the largest logit, ties to
///   the lower id. min-p        keeps w_i >= min_p (the largest w is 1). top-k        keeps the k largest logits of those, ties to the
///   lower id. top-p        of those in falling order (ties to the lower id) keeps a token while the mass before it is below
///                p times their whole mass; at least one stays. (The mass is summed over buckets of 1/64 in (max x - x) / T,
///                by id within each, so that only the bucket at the border needs sorting.)
///   draw         u = Philox(seed; choice, index) in [0, 1): the first id, ascending, whose running sum of the weights kept
///                exceeds u times their total.
/// A NaN logit counts as -infinity, +infinity as the largest float. When all are -infinity, token 0 is drawn.
namespace spillway::model {

/// Smallest log-probability reported, so that every one of them is a number (as OpenAI's interface does).
inline constexpr float logprob_floor = -9999.0F;

/// Refuses what no request may ask: bad_argument naming field, value and range.
core::Result<void> check_sampling(const core::Sampling& sampling);

/// Buffers that live from token to token: after the first call with a vocabulary's size nothing is allocated.
class Sampler {
 public:
  /// Draws token `index` of `choice` from `logits` (one row, the whole vocabulary, not empty). Sets `out.token`; with
  /// `logprobs` > 0 also `out.logprob` and the `logprobs` best in `out.top` (of the raw logits, whatever the sampling), else
  /// 0 and none. `out.top` keeps its capacity; the other fields of `out` are left alone.
  void sample(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index,
              std::uint32_t logprobs, core::TokenOut& out);

  /// The same report for a token that was given: log-probability and the `logprobs` best.
  void report(std::span<const float> logits, core::TokenId token, std::uint32_t logprobs, core::TokenOut& out);

 private:
  struct Entry {
    float logit = 0.0F;
    std::uint32_t id = 0;
  };
  /// Falling order of logits, ties to the lower id.
  static bool better(const Entry& a, const Entry& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }

  core::TokenId draw(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index);
  void select_best(std::span<const float> logits, std::size_t count);
  void weigh(std::span<const float> logits, float max, float temperature);
  double log_sum(std::span<const float> logits, float max);
  void cut_mass(double top_p, double max, double temperature);

  std::vector<Entry> entries_;      // the best, or those of one bucket
  std::vector<float> logits_;       // candidates, ascending by id: their logits
  std::vector<std::uint32_t> ids_;  // and ids; empty = all ids
  std::vector<float> weights_;      // and weights; 0 = cut
  std::vector<double> buckets_;
};

/// Largest logit's id, ties to the lower id.
core::TokenId greedy(std::span<const float> logits);

}  // namespace spillway::model
