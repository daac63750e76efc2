#include "app/load_run.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <set>
#include <thread>
#include <utility>

namespace spillway::app {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr auto poll_every = milliseconds(50);
constexpr auto poll_thinking = milliseconds(2);  // an answer may make a request due at any time
constexpr auto cancel_wait = std::chrono::seconds(10);

/// Callbacks hold it too: one that comes after the end finds `closed_`.
class LoadRun : public std::enable_shared_from_this<LoadRun> {
 public:
  LoadRun(const sim::Workload& workload, const LoadPrompts& prompts, const LoadTarget& target, const LoadOptions& options)
      : workload_(workload), prompts_(prompts), target_(target), options_(options), streams_(workload.requests.size()) {
    for (std::uint32_t i = 0; i < workload.requests.size(); ++i) {
      const auto& r = workload.requests[i];
      if (r.supersedes) channels_.insert(r.session);
      if (waits_for_parent(r)) children_[r.parent].push_back(i);
      else due_.emplace(r.arrival_ns, i);
    }
    for (std::uint32_t i = 0; i < workload.tenants.size(); ++i) run_.tenants.add(workload.tenants.at(i));
    for (std::uint32_t i = 0; i < workload.models.size(); ++i) run_.models.add(workload.models.at(i));
    run_.name = "measured";
  }

  sim::Run play(const std::function<LoadOrder(const LoadProgress&, milliseconds)>& poll);

 private:
  bool waits_for_parent(const sim::WorkloadRequest& r) const { return options_.think && r.parent != sim::no_parent && r.think_ns > 0; }
  bool in_channel(const sim::WorkloadRequest& r) const { return r.session != 0 && channels_.contains(r.session); }
  std::int64_t now() const { return std::chrono::duration_cast<nanoseconds>(Clock::now() - start_).count(); }
  std::optional<std::pair<std::int64_t, std::uint32_t>> next_due();
  sdk::Request request_of(std::uint32_t index) const;
  void send(std::uint32_t index, std::int64_t due, const sdk::Request& request);
  void on_chunk(std::uint32_t place, const sdk::Chunk& chunk);
  void on_end(std::uint32_t place, const sdk::Result<sdk::Completion>& heard);
  void reap();
  void cancel_all();
  LoadProgress progress();
  void sample();
  void take_sample(const sdk::ClusterStatus& status, std::int64_t time);

  const sim::Workload& workload_;
  const LoadPrompts& prompts_;
  const LoadTarget& target_;
  const LoadOptions& options_;
  std::set<std::uint32_t> channels_;                              // sessions of which the newest request counts
  std::map<std::uint32_t, std::vector<std::uint32_t>> children_;  // that wait for the end of their parent
  std::vector<std::optional<sdk::Stream>> streams_;               // by request; this thread alone
  Clock::time_point start_ = Clock::now();

  std::mutex mutex_;  // guards the rest: event threads write
  std::condition_variable stop_;
  using Due = std::pair<std::int64_t, std::uint32_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<std::int64_t> last_token_ns_;  // by record
  std::vector<std::uint32_t> to_reap_;
  std::uint64_t ended_count_ = 0;
  nanoseconds lag_max_{0};
  bool cancelling_ = false;
  bool stop_sampling_ = false;
  bool closed_ = false;
  sim::Run run_;
  std::map<std::string, std::uint64_t> counters_;  // at the last sample
};

std::optional<LoadRun::Due> LoadRun::next_due() {
  const std::lock_guard lock(mutex_);
  if (due_.empty()) return std::nullopt;
  return due_.top();
}

sdk::Request LoadRun::request_of(std::uint32_t index) const {
  const auto& r = workload_.requests[index];
  sdk::Request request;
  request.prompt_tokens = prompts_.make(index);
  request.model = target_.models.at(r.model);
  request.max_tokens = r.output_tokens;
  request.prompt_only = r.output_tokens == 0;
  request.ignore_eos = true;
  request.service_class = static_cast<sdk::ServiceClass>(r.service_class);
  request.deadline = std::chrono::ceil<milliseconds>(nanoseconds(r.deadline_ns));
  request.timeout = options_.timeout;
  if (in_channel(r)) request.supersedes = options_.channels + std::to_string(r.session);
  return request;
}

void LoadRun::send(std::uint32_t index, std::int64_t due, const sdk::Request& request) {
  const auto& r = workload_.requests[index];
  std::uint32_t place = 0;
  {
    const std::lock_guard lock(mutex_);
    due_.pop();
    place = static_cast<std::uint32_t>(run_.records.size());
    sim::RunRecord record;
    record.id = index;
    record.arrival_ns = due;
    record.sent_ns = std::max(due, now());
    record.deadline_ns = r.deadline_ns;
    record.prompt_tokens = r.input_tokens;
    record.tenant = r.tenant;
    record.model = r.model;
    record.session = r.session;
    record.service_class = r.service_class;
    lag_max_ = std::max(lag_max_, nanoseconds(record.sent_ns - due));
    run_.records.push_back(record);
    last_token_ns_.push_back(sim::never_ns);
  }
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [self = shared_from_this(), place](const sdk::Chunk& chunk) { self->on_chunk(place, chunk); };
  callbacks.on_end = [self = shared_from_this(), place](const sdk::Result<sdk::Completion>& heard) { self->on_end(place, heard); };
  auto stream = target_.by_tenant.at(r.tenant)->stream(request, std::move(callbacks));
  if (stream) streams_[index] = std::move(*stream);
  else on_end(place, stream.error());
}

void LoadRun::on_chunk(std::uint32_t place, const sdk::Chunk& chunk) {
  if (chunk.tokens.empty()) return;
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  auto& record = run_.records[place];
  const auto time = now();
  if (record.first_token_ns == sim::never_ns) record.first_token_ns = time;
  else if (record.arrival_ns >= options_.warm_up.count()) run_.token_gaps_ns.record(time - last_token_ns_[place]);
  last_token_ns_[place] = time;
  record.output_tokens += static_cast<std::uint32_t>(chunk.tokens.size());
}

void LoadRun::on_end(std::uint32_t place, const sdk::Result<sdk::Completion>& heard) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  auto& record = run_.records[place];
  const auto index = static_cast<std::uint32_t>(record.id);
  const auto time = now();
  record.outcome = outcome_of(heard, in_channel(workload_.requests[index]), cancelling_);
  // The last token is the end of an answer; the word that it is over may come behind it.
  record.end_ns = record.outcome == sim::RequestOutcome::finished && last_token_ns_[place] != sim::never_ns ? last_token_ns_[place] : time;
  if (heard) {
    record.cached_tokens = heard->usage.cached_tokens;
    record.moves = static_cast<std::uint16_t>(std::min(heard->moves, 0xffffU));
    record.preemptions = static_cast<std::uint16_t>(std::min(heard->restarts, 0xffffU));
    if (!heard->rungs.empty()) record.rung = static_cast<std::uint16_t>(run_.rungs.add(heard->rungs.back()) + 1);
  } else {
    // The code alone: messages name requests and places, and would each be another reason.
    ++run_.reasons[std::string(sdk::to_string(heard.error().code))];
  }
  ++ended_count_;
  to_reap_.push_back(index);
  if (const auto children = children_.find(index); children != children_.end() && !cancelling_) {
    for (const auto child : children->second) due_.emplace(time + workload_.requests[child].think_ns, child);
  }
}

void LoadRun::reap() {
  std::vector<std::uint32_t> indices;
  {
    const std::lock_guard lock(mutex_);
    indices.swap(to_reap_);
  }
  for (const auto index : indices) streams_[index].reset();
}

void LoadRun::cancel_all() {
  {
    const std::lock_guard lock(mutex_);
    cancelling_ = true;
  }
  for (auto& stream : streams_) {
    if (stream) stream->cancel();
  }
}

LoadProgress LoadRun::progress() {
  const std::lock_guard lock(mutex_);
  return {workload_.requests.size(), run_.records.size(), ended_count_, nanoseconds(now()), lag_max_};
}

void LoadRun::take_sample(const sdk::ClusterStatus& status, std::int64_t time) {
  sim::RunSample whole;
  whole.time_ns = time;
  const std::lock_guard lock(mutex_);
  for (const auto& node : status.nodes) {
    if (node.state == "down") continue;
    sim::RunSample s;
    s.time_ns = time;
    s.node = run_.nodes.add(node.name);
    s.running = node.streams;
    s.queued = node.queue;
    s.kv_blocks_used = node.kv_blocks_used;
    s.kv_blocks_total = node.kv_blocks_total;
    whole.running += s.running;
    whole.queued += s.queued;
    whole.kv_blocks_used += s.kv_blocks_used;
    whole.kv_blocks_total += s.kv_blocks_total;
    run_.series.push_back(s);
  }
  const bool first = counters_.empty();
  const auto since = [&](const std::string& name, std::uint64_t value) {
    auto& before = counters_[name];
    const auto more = first || value < before ? 0 : value - before;  // those of a node that died are gone
    before = value;
    return more;
  };
  for (const auto& [name, value] : status.counters) {
    if (name == "moves_committed") whole.moves = static_cast<std::uint32_t>(since(name, value));
    if (name == "export_bytes") whole.moved_bytes = since(name, value);
  }
  run_.series.push_back(whole);
}

/// A thread of its own: asking for the status waits.
void LoadRun::sample() {
  for (;;) {
    const auto status = target_.by_tenant.front()->status(milliseconds(2000));
    if (status) take_sample(*status, now());
    std::unique_lock lock(mutex_);
    if (!status && run_.series.empty()) {
      run_.notes.push_back("no samples of the nodes: " + status.error().message);
      return;
    }
    const auto until = Clock::now() + options_.sample_every;
    while (!stop_sampling_ && Clock::now() < until) stop_.wait_until(lock, until);
    if (stop_sampling_) return;
  }
}

sim::Run LoadRun::play(const std::function<LoadOrder(const LoadProgress&, milliseconds)>& poll) {
  start_ = Clock::now();
  std::thread sampler([this] { sample(); });
  LoadOrder order = LoadOrder::go_on;
  std::optional<Clock::time_point> give_up;
  constexpr std::uint32_t none = sim::no_parent;
  std::uint32_t prepared = none;  // the request that `request` is
  sdk::Request request;
  for (;;) {
    reap();
    const auto state = progress();
    const bool running = state.ended < state.sent;
    const auto due = order == LoadOrder::go_on ? next_due() : std::nullopt;
    if (!due && !running) break;
    if (give_up && Clock::now() > *give_up) break;
    // Made ahead of its time, so that making it delays nobody.
    if (due && prepared != due->second) {
      request = request_of(due->second);
      prepared = due->second;
    }
    const auto ahead = due ? nanoseconds(due->first - now()) : nanoseconds(poll_every);
    if (due && ahead <= nanoseconds(0)) {
      send(due->second, due->first, request);
      prepared = none;
      if (state.sent % 64 != 0) continue;
    }
    const auto most = options_.think ? poll_thinking : poll_every;
    const auto asked = poll(state, std::clamp(std::chrono::floor<milliseconds>(ahead), milliseconds(0), most));
    if (due && ahead > nanoseconds(0) && ahead < milliseconds(1)) std::this_thread::sleep_until(start_ + nanoseconds(due->first));
    if (asked == LoadOrder::cancel && order != LoadOrder::cancel) {
      cancel_all();
      give_up = Clock::now() + cancel_wait;
    }
    order = std::max(order, asked);
  }
  {
    const std::lock_guard lock(mutex_);
    stop_sampling_ = true;
    stop_.notify_all();
  }
  sampler.join();
  for (auto& stream : streams_) stream.reset();
  const std::lock_guard lock(mutex_);
  closed_ = true;
  run_.end_ns = 0;
  for (auto& record : run_.records) {
    if (record.end_ns == sim::never_ns) record.outcome = sim::RequestOutcome::cancelled;  // nothing was heard of it in time
    run_.end_ns = std::max({run_.end_ns, record.end_ns, record.sent_ns});
  }
  std::erase_if(run_.series, [this](const auto& s) { return s.time_ns > run_.end_ns; });
  sim::Run done = std::move(run_);
  std::sort(done.records.begin(), done.records.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return done;
}

}  // namespace

sim::RequestOutcome outcome_of(const sdk::Result<sdk::Completion>& heard, bool in_channel, bool cancelled_here) {
  using sim::RequestOutcome;
  if (!heard) {
    switch (heard.error().code) {
      case sdk::Code::queue_full:
      case sdk::Code::deadline_infeasible:
      case sdk::Code::no_capacity:
      case sdk::Code::draining: return RequestOutcome::refused;
      case sdk::Code::cancelled: return RequestOutcome::cancelled;
      default: return RequestOutcome::failed;
    }
  }
  for (const auto& choice : heard->choices) {
    if (choice.finish_reason == "deadline") return RequestOutcome::expired;
    if (choice.finish_reason == "cancelled") return in_channel && !cancelled_here ? RequestOutcome::superseded : RequestOutcome::cancelled;
    if (choice.finish_reason != "stop" && choice.finish_reason != "length") return RequestOutcome::failed;
  }
  return RequestOutcome::finished;
}

sim::Run run_load(const sim::Workload& workload, const LoadPrompts& prompts, const LoadTarget& target, const LoadOptions& options,
                  const std::function<LoadOrder(const LoadProgress&, milliseconds)>& poll) {
  return std::make_shared<LoadRun>(workload, prompts, target, options)->play(poll);
}

}  // namespace spillway::app
