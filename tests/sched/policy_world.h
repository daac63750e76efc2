#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sched/batcher_core.h"
#include "sched/step_budget.h"
#include "tests/sched/fake_worker.h"

/// One batcher under load in virtual time, with a device of known cost and answers of known length: for properties of its policies.
/// Rows are not kept (FakeWorker and batcher_world do that), so thousands of streams are cheap.
namespace spillway::sched::test {

struct PolicyOptions {
  std::uint64_t seed = 1;
  std::uint32_t blocks = 200;
  BatcherLimits limits;
  std::uint32_t streams = 300;
  std::uint32_t tenants = 1;
  std::uint32_t skew = 1;                            ///< of this many submissions all but one are of the first tenant
  core::Duration gap{std::chrono::milliseconds(5)};  ///< mean time between two submissions
  std::uint32_t backlog = 0;                         ///< instead: each tenant has this many waiting all the time
  std::uint32_t prompt_max = 200;
  std::uint32_t answer_max = 120;       ///< most answers are a quarter of it, one in eight is longer
  std::uint32_t tokens_max_factor = 4;  ///< a request asks for this many times its answer
  bool one_class = false;
  bool deadlines = true;
  bool cancels = false;
  StepCosts costs{.base = std::chrono::milliseconds(5), .row = std::chrono::microseconds(50), .context = std::chrono::microseconds(20)};
};

struct PolicyCounts {
  std::uint64_t finished = 0, cancelled = 0, preemptions = 0, returned_full = 0, refused = 0, steps = 0, tokens = 0, prompts = 0;
  std::uint64_t admissions = 0, overdue = 0, by_deadline = 0;
  core::Duration time{0};
  /// Admitted before it, at most, while a stream was overdue and waited.
  std::uint64_t overtaken_max = 0;
  std::uint64_t step_over_target = 0, step_with_target = 0;
  PolicyCounts& operator+=(const PolicyCounts& o);
};

/// Service of one tenant as it was given: tokens at the usual costs / weight, in thousandths.
using ServiceHistory = std::vector<std::vector<std::uint64_t>>;  ///< by moment, then by tenant

class PolicyWorld {
 public:
  explicit PolicyWorld(const PolicyOptions& options);
  /// Plays until all streams are over; each admission is held against the order of the queue, each step against the target.
  PolicyCounts play();
  const ServiceHistory& service() const { return history_; }

 private:
  struct Stream {
    std::shared_ptr<const core::Request> request;
    std::uint32_t answer = 0;  ///< tokens until it stops
    std::vector<core::TokenId> got;
    std::uint64_t counter = 0;  ///< of its epoch
    std::uint64_t arrival = 0;  ///< of its last Run
    Instant queued{};
    Instant deadline = core::never;
    bool waits = false;  ///< in the queue of the batcher
    bool over = false;
    std::uint64_t overtaken = 0;
  };
  using Key = core::StreamKey;

  Key submit(std::uint32_t tenant);
  void run(Stream& s);
  void top_up();
  void arrive(Instant until);
  bool step();
  void observe(const core::StepPlan& plan);
  void admitted(Stream& s);
  void watch_target(const core::StepPlan& plan, std::uint32_t rows, std::uint64_t attended);
  void perform(BatcherCore::Actions&& actions);
  void receive(const core::Tokens& message);
  void receive(const core::RunReturned& message);
  void receive(const core::RunRefused& message);
  std::uint32_t band(const Stream& s) const;  ///< 0 = overdue, 1 = first class, ...
  void serve(const Stream& s, std::uint64_t cost);

  PolicyOptions options_;
  Random random_;
  std::unique_ptr<BatcherCore> core_;
  Instant now_{std::chrono::seconds(1)};
  Instant next_arrival_{std::chrono::seconds(1)};
  std::map<Key, Stream> streams_;
  std::set<Key> waiting_;
  std::map<core::SequenceId, Key> sequences_;
  std::multimap<Instant, Key> retries_;
  std::uint32_t submitted_ = 0;
  std::uint64_t runs_ = 0;
  std::vector<std::uint64_t> served_;
  ServiceHistory history_;
  PolicyCounts counts_;
};

}  // namespace spillway::sched::test
