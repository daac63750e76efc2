#include "model/paced_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/assert.h"
#include "core/digest.h"
#include "model/paced_tokenizer.h"

namespace spillway::model {

namespace {

using core::block_tokens;

/// Finaliser of SplitMix64: a bijection whose outputs pass for random.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

bool answers(const core::StepItem& item) {
  return item.tokens.size() == 1 && !item.samples.empty() && item.first_position > 0;
}

core::KvId paced_kv_id(const PacedOptions& options) {
  core::Digest128 digest;
  digest.add_text("spillway paced 1").add_u64(options.page_bytes).add_u64(options.vocabulary).add_u64(block_tokens);
  digest.add_u64(static_cast<std::uint64_t>(options.page_format));
  return {digest.finish()};
}

}  // namespace

core::Result<std::unique_ptr<PacedDevice>> PacedDevice::make(const PacedOptions& options) {
  if (options.page_bytes == 0 || options.page_bytes % 1024 != 0)
    return core::fail(core::Errc::bad_argument, "paced page_bytes = " + std::to_string(options.page_bytes) +
                                                    "; want a multiple of 1024 (16 rows of whole 64 bytes); try 4096");
  auto tokenizer = paced_tokenizer(options.vocabulary);
  if (!tokenizer) return tl::make_unexpected(tokenizer.error());
  auto pool = KvPool::make(1, options.page_bytes / block_tokens, options.blocks);
  if (!pool) return tl::make_unexpected(pool.error());
  return std::unique_ptr<PacedDevice>(new PacedDevice(options, std::move(*pool), std::move(*tokenizer)));
}

PacedDevice::PacedDevice(const PacedOptions& options, KvPool pool, std::shared_ptr<const Tokenizer> tokenizer)
    : options_{options}, pool_{std::move(pool)}, tokenizer_{std::move(tokenizer)}, sequences_{tokenizer_} {
  info_.model = core::model_id(options.name);
  info_.model_name = options.name;
  info_.kv_id = paced_kv_id(options);
  core::Digest128 weights;
  info_.weights_digest = weights.add_text("spillway paced weights 1").add_u64(options.vocabulary).finish();
  info_.context_max = options.context_max;
  info_.vocabulary = options.vocabulary;
  info_.page_bytes = options.page_bytes;
  info_.row_bytes = options.page_bytes / block_tokens;
  info_.page_format = static_cast<std::uint32_t>(options.page_format);
  info_.blocks = options.blocks;
  info_.isa = "paced";
  // Its words come from pages, whatever a grammar says.
  info_.features &= ~static_cast<std::uint64_t>(core::Feature::grammar);
  digests_.assign(options.blocks, 0);
  scratch_.reserve(options.context_max / block_tokens + 2);
}

void PacedDevice::write_row(const core::StepItem& item, std::uint32_t position, core::TokenId token) {
  const std::size_t bytes = pool_.row_bytes();
  std::uint64_t before = 0;
  if (position > 0) {
    const std::byte* previous = pool_.page(item.blocks[(position - 1) / block_tokens]) + (position - 1) % block_tokens * bytes;
    before = core::checksum64({previous, bytes});
  }
  const core::BlockId block = item.blocks[position / block_tokens];
  std::byte* row = pool_.page(block) + position % block_tokens * bytes;
  std::uint64_t word = mix(before ^ mix((std::uint64_t{position} << 32) | static_cast<std::uint32_t>(token)));
  for (std::size_t at = 0; at < bytes; at += sizeof word) {
    word = mix(word);
    std::memcpy(row + at, &word, sizeof word);
  }
  digests_[block] = 0;
}

std::uint64_t PacedDevice::block_digest(core::BlockId block) {
  auto& digest = digests_[block];
  if (digest == 0) digest = core::checksum64({pool_.page(block), pool_.page_bytes()}) | 1U;
  return digest;
}

/// Hash of the pages of positions [0, end of the item).
std::uint64_t PacedDevice::state_of(const core::StepItem& item) {
  const std::size_t end = item.first_position + item.tokens.size();
  scratch_.clear();
  for (std::size_t i = 0; i < end / block_tokens; ++i) scratch_.push_back(block_digest(item.blocks[i]));
  if (const std::size_t rows = end % block_tokens; rows != 0)
    scratch_.push_back(core::checksum64({pool_.page(item.blocks[end / block_tokens]), rows * pool_.row_bytes()}));
  return core::checksum64(std::as_bytes(std::span{scratch_}));
}

core::TokenOut PacedDevice::sample(const Sequence& sequence, std::uint64_t state, std::uint32_t index) const {
  const auto& request = *sequence.request;
  std::uint64_t hash = mix(state ^ mix(index));
  if (request.sampling.temperature > 0) hash = mix(hash ^ mix(request.sampling.seed ^ mix(sequence.choice)));
  const std::uint32_t words = options_.vocabulary - paced_first_word;
  const auto word = [&](std::uint64_t h) { return static_cast<core::TokenId>(paced_first_word + (h >> 32) * words / (1ULL << 32)); };
  core::TokenOut out;
  out.token = word(hash);
  out.logprob = -static_cast<float>(hash & 0xffffU) * 0x1p-17F;  // above -0.5, so the likeliest
  if (request.logprobs == 0) return out;
  out.top.emplace_back(out.token, out.logprob);
  for (std::uint32_t k = 1; k < std::min(request.logprobs, words); ++k) {
    const auto next = static_cast<core::TokenId>(paced_first_word + (static_cast<std::uint32_t>(out.token) - paced_first_word + k) % words);
    out.top.emplace_back(next, -static_cast<float>(k));
  }
  return out;
}

core::Result<core::StepResult> PacedDevice::execute(const core::StepPlan& plan) {
  if (auto checked = sequences_.check(plan, info_, options_.step_rows_max); !checked) return tl::make_unexpected(checked.error());
  for (const auto& open : plan.opens) sequences_.open(open);
  for (const auto& copy : plan.copies) {
    pool_.copy_rows(copy.from, copy.to, copy.rows);
    digests_[copy.to] = 0;
  }
  core::StepResult result;
  result.step = plan.step;
  std::uint64_t prompt_rows = 0;
  std::uint64_t answer_rows = 0;
  std::uint64_t attended = 0;
  for (const auto& item : plan.items) {
    const auto rows = static_cast<std::uint32_t>(item.tokens.size());
    for (std::uint32_t r = 0; r < rows; ++r) write_row(item, item.first_position + r, item.tokens[r]);
    (answers(item) ? answer_rows : prompt_rows) += rows;
    attended += std::uint64_t{rows} * item.first_position + std::uint64_t{rows} * (rows + 1) / 2;
    if (item.samples.empty()) continue;
    const std::uint64_t state = state_of(item);
    for (const auto& target : item.samples) {
      Sequence* sequence = sequences_.find(target.sequence);
      SPILLWAY_ASSERT(sequence != nullptr);  // checked above
      auto out = sample(*sequence, state, target.index);
      sequences_.accept(*sequence, target.index, out);
      result.sampled.push_back({target.sequence, target.index, std::move(out)});
    }
  }
  for (const auto closed : plan.closes) sequences_.close(closed);
  result.rows = static_cast<std::uint32_t>(prompt_rows + answer_rows);
  if (!plan.items.empty()) {
    result.elapsed = options_.step + prompt_rows * options_.prefill_token + answer_rows * options_.decode_token +
                     core::Duration{static_cast<std::int64_t>(attended) * options_.context_per_1k.count() / 1000};
  }
  return result;
}

void PacedDevice::read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) {
  pool_.read_rows(block, first_row, rows, out);
}

void PacedDevice::write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) {
  pool_.write_rows(block, first_row, rows, in);
  digests_[block] = 0;
}

}  // namespace spillway::model
