#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/messages.h"
#include "core/step.h"

/// A worker for tests of the batcher. It keeps real rows: the row of a position is a hash of the row before it and of the token, so
/// it stands for everything before it. A drawn token is a hash of the last row: a wrong, lost or overwritten row changes the text.
namespace spillway::sched::test {

using Row = std::uint64_t;
using Page = std::array<Row, core::block_tokens>;

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a + 0x9e3779b97f4a7c15ULL * (b + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Small and equal everywhere, unlike the distributions of the standard library.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(mix(seed, 77)) {}
  std::uint64_t next() { return state_ = mix(state_, 1); }
  /// 0 .. n - 1.
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((next() >> 32) % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

inline constexpr std::uint32_t vocabulary = 97;
/// A token that ends a choice when drawn (unless ignore_eos).
inline constexpr core::TokenId end_token = 3;

/// Before the first token: another one under each adapter.
Row root_row(const core::Request& request);
Row row_after(Row previous, core::TokenId token);
core::TokenOut draw(Row last, const core::Request& request, std::uint32_t choice, std::uint32_t index);
/// The name of the block whose last row is this one.
core::BlockName name_of(Row last_row);
/// What a choice says when nothing disturbs it.
std::vector<core::TokenOut> undisturbed(const core::Request& request, std::uint32_t choice);
/// Names of all full blocks of prompt + tokens.
std::vector<core::BlockName> names_of(const core::Request& request, const std::vector<core::TokenId>& tokens);

class FakeWorker {
 public:
  explicit FakeWorker(std::uint32_t blocks, std::vector<core::KvGroup> kv_groups = {}) : pages(blocks), groups(std::move(kv_groups)) {}

  /// Executes a plan. Every rule a plan must keep is checked; the first broken one is a fatal error of the test.
  core::StepResult run(const core::StepPlan& plan);
  /// As after a crash: all rows are garbage, no sequence is known.
  void crash();

  std::vector<Page> pages;
  /// Rows of a window are needed as long as it reaches; a state is the row of the last position, in all rows of all its blocks.
  std::vector<core::KvGroup> groups;
  std::uint64_t copies = 0;
  std::uint64_t rows = 0;
  std::uint64_t steps = 0;
  std::uint64_t guessed = 0;      ///< tokens behind the first of a step
  std::uint64_t mixed_steps = 0;  ///< with decodes and prefill chunks in one
  std::size_t open_sequences() const { return open_.size(); }

 private:
  struct Sequence {
    std::shared_ptr<const core::Request> request;
    std::uint32_t choice = 0;
    std::uint32_t generated = 0;
    bool over = false;
    Row root = 0;
    std::vector<core::TokenId> tokens;  // prompt and generated
    std::vector<Row> chain;             // row of each of them, as it must be
    void add(core::TokenId token) {
      tokens.push_back(token);
      chain.push_back(row_after(chain.empty() ? root : chain.back(), token));
    }
  };
  void open(const core::SequenceOpen& open);
  void check_group(const core::KvGroup& group, const std::vector<core::BlockId>& blocks, const Sequence& s, std::uint32_t first) const;
  void write_group(const core::KvGroup& group, const std::vector<core::BlockId>& blocks, const Sequence& s, std::uint32_t first,
                   std::uint32_t end, std::vector<std::uint8_t>& written);
  Row last_row(const core::StepItem& item, std::uint32_t last) const;
  void guess(const core::StepItem& item, const core::SampleTarget& target, Row row, Sequence& s, core::StepResult& result);
  void compute(const core::StepItem& item, std::vector<std::uint8_t>& written);

  std::map<core::SequenceId, Sequence> open_;
};

}  // namespace spillway::sched::test
