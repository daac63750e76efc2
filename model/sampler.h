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
/// Order, as in vLLM, with typical-p between top-k and top-p as in llama.cpp: the rules of model/logit_rules.h, temperature, min-p,
/// top-k, typical-p, top-p, draw. Ranges: temperature 0 to 100, top_p and typical_p above 0 up to 1, min_p 0 to 1, repetition_penalty
/// above 0 up to 100, presence_penalty and frequency_penalty -2 to 2, values of logit_bias -100 to 100 for at most 1,024 tokens, each
/// once; of DRY: multiplier 0 to 100, base 1 to 100, at most 64 breakers of 1 to 64 bytes. Mirostat is not offered: what it learns
/// from token to token could not be rebuilt from the tokens after a move.
///   temperature  w_i = exp((x_i - max x) / T), the exponent rounded to float; 0 below e^-87. T = 0 is greedy: the largest logit,
///                ties to the lower id.
///   min-p        keeps w_i >= min_p (the largest w is 1).
///   top-k        keeps the k largest logits of those, ties to the lower id.
///   typical-p    of those in rising order of |s_i - H| (ties to the lower id) keeps a token while the mass before it is below typical_p
///                times their whole mass; at least one stays. s_i = -ln(w_i / sum w), H = sum of (w_i / sum w) s_i (Meister et al.,
///                "Locally Typical Sampling", 2022); s_i - H is (max x - x_i) / T less its mean.
///   top-p        of those in falling order (ties to the lower id) keeps a token while the mass before it is below p times their whole
///                mass; at least one stays.
///                (Both sum the mass over buckets of 1/64, of |s - H| or of (max x - x) / T, by id within each, so that only the
///                bucket at the border needs sorting.)
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

  /// The token alone, without the rules of model/logit_rules.h, which come before.
  core::TokenId choose(std::span<const float> logits, const core::Sampling& sampling, std::uint32_t choice, std::uint32_t index);

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
  void cut_typical(double typical_p, double max, double temperature);
  void cut_top(double top_p, double max, double temperature);
  template <class Distance, class Before>
  void cut_mass(double share, Distance distance, Before before);

  std::vector<Entry> entries_;         // the best
  std::vector<std::uint32_t> border_;  // candidates of one bucket
  std::vector<float> logits_;          // candidates, ascending by id: their logits
  std::vector<std::uint32_t> ids_;     // and ids; empty = all ids
  std::vector<float> weights_;         // and weights; 0 = cut
  std::vector<double> buckets_;
};

/// Largest logit's id, ties to the lower id.
core::TokenId greedy(std::span<const float> logits);

}  // namespace spillway::model
