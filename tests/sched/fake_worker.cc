#include "tests/sched/fake_worker.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched::test {

using core::block_tokens;

namespace {
void must(bool holds, const char* rule) {
  if (!holds) BOOST_FAIL(rule);
}
}  // namespace

Row root_row(const core::Request& request) {
  return request.adapter.empty() ? 0 : mix(core::name_id(request.adapter), 5);
}

Row row_after(Row previous, core::TokenId token) {
  return mix(previous, static_cast<std::uint64_t>(token));
}

core::TokenOut draw(Row last, const core::Request& request, std::uint32_t choice, std::uint32_t index) {
  const std::uint64_t bits = mix(mix(last, request.sampling.seed), (std::uint64_t{choice} << 32) + index);
  core::TokenOut out;
  out.token = static_cast<core::TokenId>(bits % vocabulary);
  if (out.token == end_token && !request.ignore_eos) {
    out.is_end = true;
    out.finish = core::FinishReason::stop;
  } else if (index + 1 >= request.tokens_max) {
    out.finish = core::FinishReason::length;
  }
  return out;
}

core::BlockName name_of(Row last_row) {
  return {{mix(last_row, 11), mix(last_row, 12)}};
}

std::vector<core::TokenOut> undisturbed(const core::Request& request, std::uint32_t choice) {
  Row row = root_row(request);
  for (const auto token : request.prompt) row = row_after(row, token);
  std::vector<core::TokenOut> result;
  do {
    result.push_back(draw(row, request, choice, static_cast<std::uint32_t>(result.size())));
    row = row_after(row, result.back().token);
  } while (result.back().finish == core::FinishReason::none);
  return result;
}

std::vector<core::BlockName> names_of(const core::Request& request, const std::vector<core::TokenId>& tokens) {
  std::vector<core::BlockName> names;
  Row row = root_row(request);
  for (std::size_t p = 0; p < request.prompt.size() + tokens.size(); ++p) {
    row = row_after(row, p < request.prompt.size() ? request.prompt[p] : tokens[p - request.prompt.size()]);
    if (p % block_tokens == block_tokens - 1) names.push_back(name_of(row));
  }
  return names;
}

void FakeWorker::open(const core::SequenceOpen& opened) {
  must(!open_.contains(opened.sequence), "a sequence is opened once");
  auto& s = open_[opened.sequence];
  s.request = opened.request;
  s.choice = opened.choice;
  s.root = root_row(*opened.request);
  s.generated = static_cast<std::uint32_t>(opened.tokens.size());
  for (const auto token : opened.request->prompt) s.add(token);
  for (const auto token : opened.tokens) s.add(token);
}

void FakeWorker::compute(const core::StepItem& item, std::vector<std::uint8_t>& written) {
  must(open_.contains(item.sequence), "an item is of an open sequence");
  const auto& s = open_.at(item.sequence);
  must(!item.tokens.empty(), "an item has at least one token");
  const std::uint32_t end = item.first_position + static_cast<std::uint32_t>(item.tokens.size());
  must(end <= s.tokens.size(), "an item stays within the known tokens");
  const std::uint32_t guesses = item.samples.size() == 1 ? item.samples[0].tokens_max - 1 : 0;
  must(guesses == 0 || item.tokens.size() == 1, "guesses follow a single row");
  const auto kv_groups = core::kv_groups_or_full(groups);
  must(item.more_blocks.size() + 1 == kv_groups.size(), "an item has a table for each KV group");
  for (std::uint32_t p = item.first_position; p < end; ++p)
    must(item.tokens[p - item.first_position] == s.tokens[p], "the tokens of an item are those of its positions");
  for (std::size_t g = 0; g < kv_groups.size(); ++g) {
    const auto& blocks = g == 0 ? item.blocks : item.more_blocks[g - 1];
    const bool state = kv_groups[g].kind == core::KvGroupKind::state;
    must(blocks.size() == (state ? kv_groups[g].blocks : (end + guesses + block_tokens - 1) / block_tokens),
         "a table covers the positions up to the end of the item");
    check_group(kv_groups[g], blocks, s, item.first_position);
    write_group(kv_groups[g], blocks, s, item.first_position, end, written);
    for (std::uint32_t b = end / block_tokens + 1; !state && b * block_tokens < end + guesses; ++b) written[blocks[b]] = 1;
  }
  rows += item.tokens.size();
}

void FakeWorker::check_group(const core::KvGroup& group, const std::vector<core::BlockId>& blocks, const Sequence& s,
                             std::uint32_t first) const {
  if (first == 0) return;
  if (group.kind == core::KvGroupKind::state) {
    for (const auto block : blocks) {
      for (const auto row : pages.at(block)) must(row == s.chain[first - 1], "a state is that of the row before");
    }
    return;
  }
  const std::uint32_t from = group.kind == core::KvGroupKind::window && first + 1 > group.window ? first + 1 - group.window : 0;
  for (std::uint32_t p = from; p < first; ++p)
    must(pages.at(blocks[p / block_tokens])[p % block_tokens] == s.chain[p], "the rows before an item are those of its tokens");
  for (std::uint32_t b = 0; b < from / block_tokens; ++b) must(blocks[b] == core::no_block, "blocks behind the window are released");
}

void FakeWorker::write_group(const core::KvGroup& group, const std::vector<core::BlockId>& blocks, const Sequence& s, std::uint32_t first,
                             std::uint32_t end, std::vector<std::uint8_t>& written) {
  if (group.kind == core::KvGroupKind::state) {
    for (const auto block : blocks) {
      must(written.at(block) == 0, "no two items of a step write to one block");
      written[block] = 1;
      pages[block].fill(s.chain[end - 1]);
    }
    return;
  }
  for (std::uint32_t p = first; p < end; ++p) pages.at(blocks[p / block_tokens])[p % block_tokens] = s.chain[p];
  for (std::uint32_t b = first / block_tokens; b * block_tokens < end; ++b) {
    must(written.at(blocks[b]) == 0, "no two items of a step write to one block");
    written[blocks[b]] = 1;
  }
}

Row FakeWorker::last_row(const core::StepItem& item, std::uint32_t last) const {
  const bool state = core::kv_groups_or_full(groups)[0].kind == core::KvGroupKind::state;
  return state ? pages[item.blocks[0]][0] : pages[item.blocks[last / block_tokens]][last % block_tokens];
}

/// Some guesses are right, the others leave rows behind that are nobody's.
void FakeWorker::guess(const core::StepItem& item, const core::SampleTarget& target, Row row, Sequence& s, core::StepResult& result) {
  const auto right = static_cast<std::uint32_t>(mix(row, 99) % target.tokens_max);
  std::uint32_t position = item.first_position + static_cast<std::uint32_t>(item.tokens.size());
  for (std::uint32_t nth = 0; nth < target.tokens_max; ++nth, ++position) {
    auto written = ~row;
    if (nth <= right && !s.over) {
      const auto out = draw(row, *s.request, s.choice, target.index + nth);
      s.add(out.token);
      ++s.generated;
      s.over = out.finish != core::FinishReason::none;
      result.sampled.push_back({target.sequence, target.index + nth, out});
      written = row = s.chain.back();
      guessed += nth > 0 ? 1 : 0;
    }
    if (nth + 1 < target.tokens_max) pages[item.blocks[position / block_tokens]][position % block_tokens] = written;
  }
  rows += target.tokens_max - 1;
}

core::StepResult FakeWorker::run(const core::StepPlan& plan) {
  must(!plan.empty(), "a plan holds something");
  core::StepResult result;
  result.step = plan.step;
  for (const auto& opened : plan.opens) open(opened);
  for (const auto& copy : plan.copies) {
    must(copy.from != copy.to && copy.rows > 0 && copy.rows <= block_tokens, "a copy is of a growing block, or of a state");
    pages.at(copy.to).fill(~Row{0});
    for (std::uint32_t r = 0; r < copy.rows; ++r) pages[copy.to][r] = pages.at(copy.from)[r];
  }
  std::vector<std::uint8_t> written(pages.size(), 0);
  bool decodes = false;
  bool prefills = false;
  const auto rows_before = rows;
  for (const auto& item : plan.items) {
    compute(item, written);
    (item.tokens.size() == 1 ? decodes : prefills) = true;
  }
  for (const auto& item : plan.items) {
    const std::uint32_t last = item.first_position + static_cast<std::uint32_t>(item.tokens.size()) - 1;
    const Row row = last_row(item, last);
    for (const auto& target : item.samples) {
      must(open_.contains(target.sequence), "a token is drawn for an open sequence");
      auto& s = open_.at(target.sequence);
      must(!s.over && target.index == s.generated && last + 1 == s.tokens.size(), "each token is drawn once, in order, from its own row");
      guess(item, target, row, s, result);
    }
  }
  for (const auto sequence : plan.closes) must(open_.erase(sequence) == 1, "a sequence that is closed was open");
  copies += plan.copies.size();
  ++steps;
  mixed_steps += decodes && prefills ? 1 : 0;
  result.rows = static_cast<std::uint32_t>(rows - rows_before);
  result.elapsed = std::chrono::microseconds(200) + std::chrono::microseconds(10) * result.rows;
  return result;
}

void FakeWorker::crash() {
  for (auto& page : pages) page.fill(0x0dead0badULL);
  open_.clear();
}

}  // namespace spillway::sched::test
