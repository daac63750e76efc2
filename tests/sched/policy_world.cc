#include "tests/sched/policy_world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace spillway::sched::test {

using namespace std::chrono_literals;

namespace {
constexpr core::NodeId owner{50};
constexpr core::Incarnation life{500};

void must(bool holds, const char* rule) {
  if (!holds) BOOST_FAIL(rule);
}
core::TenantId tenant_at(std::uint32_t index) {
  return {index + 1};
}
}  // namespace

PolicyCounts& PolicyCounts::operator+=(const PolicyCounts& o) {
  finished += o.finished, cancelled += o.cancelled, preemptions += o.preemptions, returned_full += o.returned_full, refused += o.refused;
  steps += o.steps, tokens += o.tokens, prompts += o.prompts, admissions += o.admissions, overdue += o.overdue;
  by_deadline += o.by_deadline, time += o.time;
  overtaken_max = std::max(overtaken_max, o.overtaken_max);
  step_over_target += o.step_over_target, step_with_target += o.step_with_target;
  return *this;
}

PolicyWorld::PolicyWorld(const PolicyOptions& options) : options_(options), random_(options.seed), served_(options.tenants, 0) {
  core::ReplicaInfo info;
  info.blocks = options.blocks;
  core_ = std::make_unique<BatcherCore>(core::ReplicaRef{{9}, 0}, core::Incarnation{77}, info, options.limits);
}

PolicyWorld::Key PolicyWorld::submit(std::uint32_t tenant) {
  auto request = std::make_shared<core::Request>();
  request->key = {tenant_at(tenant), {{1, ++submitted_}}};
  request->prompt = std::vector<core::TokenId>(1 + random_.below(options_.prompt_max), 1);
  request->service_class = options_.one_class ? core::ServiceClass::interactive : static_cast<core::ServiceClass>(random_.below(3));
  auto& s = streams_[request->key];
  const auto usual = std::max(options_.answer_max / 4, 1U);
  s.answer = 1 + (random_.one_in(8) ? random_.below(options_.answer_max) : usual / 2 + random_.below(usual));
  const auto pool = options_.blocks * core::block_tokens - static_cast<std::uint32_t>(request->prompt.size());
  request->tokens_max = std::min(s.answer * options_.tokens_max_factor, pool);
  s.answer = std::min(s.answer, request->tokens_max);
  s.request = request;
  // Far enough to order, never to expire: what expires is not admitted, and these worlds look at admissions.
  if (options_.deadlines && random_.one_in(2)) s.deadline = now_ + 100h + 1ms * random_.below(20000);
  run(s);
  return request->key;
}

void PolicyWorld::run(Stream& s) {
  core::Run run;
  run.key = s.request->key;
  run.epoch = {life, ++s.counter};
  run.owner = owner;
  run.replica = {{9}, 0};
  run.request = s.request;
  run.choices.resize(1);
  run.choices[0].tokens = s.got;
  if (s.deadline != core::never) run.deadline_left = s.deadline - now_;
  s.arrival = ++runs_;
  s.queued = now_;
  s.waits = true;
  s.overtaken = 0;
  waiting_.insert(run.key);
  BatcherCore::Actions out;
  core_->on(run, now_, out);
  core_->check();
  perform(std::move(out));
}

void PolicyWorld::top_up() {
  std::vector<std::uint32_t> waiting(options_.tenants, 0);
  for (const auto& key : waiting_) ++waiting[key.tenant.value - 1];
  for (std::uint32_t t = 0; t < options_.tenants; ++t) {
    while (waiting[t] < options_.backlog && submitted_ < options_.streams) {
      submit(t);
      ++waiting[t];
    }
  }
}

void PolicyWorld::arrive(Instant until) {
  for (;;) {
    const auto retry = retries_.empty() ? core::never : retries_.begin()->first;
    const bool more = options_.backlog == 0 && submitted_ < options_.streams;
    const auto next = more ? std::min(retry, next_arrival_) : retry;
    if (next > until) break;
    now_ = std::max(now_, next);
    if (next == retry) {
      const auto key = retries_.begin()->second;
      retries_.erase(retries_.begin());
      if (auto& s = streams_.at(key); !s.over) run(s);
      continue;
    }
    submit(options_.skew > 1 && !random_.one_in(options_.skew) ? 0 : random_.below(options_.tenants));
    next_arrival_ += core::Duration{static_cast<std::int64_t>(random_.next() >> 32) % (2 * options_.gap.count())};
  }
  now_ = until;
}

std::uint32_t PolicyWorld::band(const Stream& s) const {
  const auto own = static_cast<std::uint32_t>(s.request->service_class) + 1;
  if (options_.limits.ageing <= core::Duration{0}) return own;
  const auto climbed = static_cast<std::uint64_t>((now_ - s.queued) / options_.limits.ageing);
  return own - static_cast<std::uint32_t>(std::min<std::uint64_t>(own, climbed));
}

void PolicyWorld::admitted(Stream& s) {
  const auto key = s.request->key;
  ++counts_.admissions;
  const auto own = std::max(band(s), 1U);
  counts_.overdue += band(s) == 0 ? 1 : 0;
  bool passed = false;
  for (const auto& other_key : waiting_) {
    if (other_key == key) continue;
    auto& other = streams_.at(other_key);
    must(std::max(band(other), 1U) >= own, "no request of a lower class goes first");
    if (std::max(band(other), 1U) != own) continue;
    if (band(other) == 0) counts_.overtaken_max = std::max(counts_.overtaken_max, ++other.overtaken);
    if (other_key.tenant != key.tenant) continue;
    const auto due = [&](const Stream& x) { return std::pair(band(x) == 0 ? Instant{} : x.deadline, x.arrival); };
    must(due(s) < due(other), "within a class and a tenant the earliest deadline goes first, ties by arrival");
    passed = passed || other.arrival < s.arrival;
  }
  counts_.by_deadline += passed ? 1 : 0;
  s.waits = false;
  waiting_.erase(key);
  if (s.got.empty()) {
    counts_.prompts += s.request->prompt.size();
    serve(s, TokenCosts{}.input * s.request->prompt.size());
  }
}

void PolicyWorld::serve(const Stream& s, std::uint64_t cost) {
  const auto weight = options_.limits.tenant_weights.find(s.request->key.tenant);
  served_[s.request->key.tenant.value - 1] += cost * 1000 / (weight == options_.limits.tenant_weights.end() ? 1 : weight->second);
}

void PolicyWorld::observe(const core::StepPlan& plan) {
  for (const auto& open : plan.opens) {
    sequences_[open.sequence] = open.request->key;
    admitted(streams_.at(open.request->key));
  }
  for (const auto sequence : plan.closes) sequences_.erase(sequence);
}

void PolicyWorld::watch_target(const core::StepPlan& plan, std::uint32_t rows, std::uint64_t attended) {
  core::Duration target = core::never.time_since_epoch();
  std::uint32_t prompts = 0;
  for (const auto& item : plan.items) {
    const auto& s = streams_.at(sequences_.at(item.sequence));
    if (item.tokens.size() > 1 || item.samples.empty()) {
      prompts += static_cast<std::uint32_t>(item.tokens.size());
      continue;
    }
    const auto tpot = options_.limits.tpot[static_cast<std::size_t>(s.request->service_class)];
    if (tpot > core::Duration{0}) target = std::min(target, tpot);
  }
  if (target == core::never.time_since_epoch()) return;
  ++counts_.step_with_target;
  // What it has learnt is not exact, so a twentieth is forgiven.
  if (prompts > options_.limits.step_tokens_max / 8 && step_time(options_.costs, rows, attended) > target + target / 20)
    ++counts_.step_over_target;
}

bool PolicyWorld::step() {
  BatcherCore::Actions out;
  const auto plan = core_->plan_step(now_, out);
  core_->check();
  if (plan) observe(*plan);
  perform(std::move(out));
  if (!plan) return false;
  ++counts_.steps;
  core::StepResult result;
  result.step = plan->step;
  std::uint64_t attended = 0;
  for (const auto& item : plan->items) {
    result.rows += static_cast<std::uint32_t>(item.tokens.size());
    attended += attended_by(item.first_position, item.tokens.size());
    for (const auto& sample : item.samples) {
      core::TokenOut token;
      token.token = 1;
      if (sample.index + 1 == streams_.at(sequences_.at(sample.sequence)).answer) token.finish = core::FinishReason::stop;
      result.sampled.push_back({sample.sequence, sample.index, token});
    }
  }
  watch_target(*plan, result.rows, attended);
  result.elapsed = result.rows > 0 ? step_time(options_.costs, result.rows, attended) : core::Duration{0};
  const auto end = now_ + result.elapsed;
  counts_.time += result.elapsed;
  arrive(end);
  if (options_.cancels && !streams_.empty() && random_.one_in(20)) {
    auto it = streams_.begin();
    std::advance(it, random_.below(static_cast<std::uint32_t>(streams_.size())));
    if (auto& s = it->second; !s.over) {
      s.over = true;
      ++counts_.cancelled;
      waiting_.erase(it->first);
      core_->on(core::CancelRun{it->first, {life, s.counter}}, now_, out);
    }
  }
  core_->on(result, now_, out);
  core_->check();
  perform(std::move(out));
  return true;
}

void PolicyWorld::perform(BatcherCore::Actions&& actions) {
  for (const auto& action : actions) {
    const auto* post = std::get_if<BatcherCore::Post>(&action);
    if (post == nullptr) continue;
    std::visit(
        [this](const auto& message) {
          if constexpr (requires { receive(message); }) receive(message);
        },
        *post->message);
  }
}

void PolicyWorld::receive(const core::Tokens& message) {
  for (const auto& run : message.runs) {
    auto& s = streams_.at(run.key);
    must(!s.over && run.epoch.counter == s.counter && run.first_index == s.got.size(), "each token once and in order");
    for (const auto& token : run.tokens) {
      s.got.push_back(token.token);
      ++counts_.tokens;
      serve(s, TokenCosts{}.output);
      if (token.finish == core::FinishReason::none) continue;
      must(s.got.size() == s.answer, "an answer ends where it should");
      s.over = true;
      ++counts_.finished;
    }
  }
}

void PolicyWorld::receive(const core::RunReturned& message) {
  auto& s = streams_.at(message.key);
  if (s.over || message.epoch.counter != s.counter) return;
  waiting_.erase(message.key);
  s.waits = false;
  if (message.code == core::Errc::no_capacity) {
    ++counts_.preemptions;
    retries_.emplace(now_, message.key);
    return;
  }
  must(message.code == core::Errc::queue_full, "a stream is given back for want of blocks or of a place");
  ++counts_.returned_full;
  retries_.emplace(now_ + 20ms, message.key);
}

void PolicyWorld::receive(const core::RunRefused& message) {
  must(message.code == core::Errc::queue_full, "a stream is refused for want of a place alone");
  auto& s = streams_.at(message.key);
  waiting_.erase(message.key);
  s.waits = false;
  ++counts_.refused;
  retries_.emplace(now_ + std::max<core::Duration>(message.retry_after, 1ms), message.key);
}

PolicyCounts PolicyWorld::play() {
  for (std::uint64_t turns = 0;; ++turns) {
    must(turns < 2'000'000, "everything ends");
    if (options_.backlog > 0) top_up();
    arrive(now_);
    if (step()) {
      history_.push_back(served_);
      continue;
    }
    const auto retry = retries_.empty() ? core::never : retries_.begin()->first;
    const bool more = options_.backlog == 0 && submitted_ < options_.streams;
    const auto next = more ? std::min(retry, next_arrival_) : retry;
    if (next == core::never) break;
    arrive(std::max(next, now_));
  }
  must(core_->idle() && waiting_.empty(), "nothing is left behind");
  must(counts_.finished + counts_.cancelled == options_.streams, "every stream finishes or is cancelled");
  must(core_->report(now_).blocks_free == options_.blocks, "every block is free again");
  must(core_->counters().preemptions == counts_.preemptions || options_.cancels, "every preemption is told to the owner");
  return counts_;
}

}  // namespace spillway::sched::test
