#include <algorithm>
#include <string>

#include "core/assert.h"
#include "sched/router_state.h"

/// Between a checked request and its stream: the tenant's ladder and its bucket, which stands at the tenant's home router.
namespace spillway::sched {

namespace {

using core::Errc;

constexpr core::Duration home_kept = std::chrono::milliseconds(100);
constexpr core::Duration retry_soon = std::chrono::milliseconds(500);
constexpr std::size_t options_max = 8;  // of one ask
constexpr std::uint32_t asks_max = 2;   // of one request, when its home falls silent

std::string ms(core::Duration time) {
  return std::to_string(time.count() / 1'000'000) + " ms";
}

}  // namespace

const TenantRules& RouterState::rules_of(core::TenantId tenant) const {
  static const TenantRules none;
  const auto found = limits.tenants.find(tenant);
  return found == limits.tenants.end() ? none : found->second;
}

/// The time of the last token at the best replica; nothing while one that is ready has not told its pace, or none is ready. Looks no
/// further than to the first replica that is good `enough`.
std::optional<core::Duration> RouterState::best_time(const RouterStream& probe, std::uint64_t output_tokens, core::Duration enough,
                                                     Instant now) {
  const auto& list = views.of(probe.request->model).list;
  PlacementRequest request;
  request.tokens = probe.request->prompt.size();
  request.output_tokens = output_tokens;
  std::optional<core::Duration> best;
  const std::size_t first = list.empty() ? 0 : std::hash<StreamKey>{}(probe.key) % list.size();
  for (std::size_t i = 0; i < list.size(); ++i) {
    looked_at_.clear();
    look_at(probe, list[(first + i) % list.size()], now, looked_at_);
    if (looked_at_.empty()) continue;
    const auto time = completion_time(looked_at_.front(), request, limits.placement);
    if (!time) return std::nullopt;
    if (!best || *time < *best) best = time;
    if (*best <= enough) break;
  }
  return best;
}

std::shared_ptr<core::Request> RouterState::request_on(const RouterCore::Admit& admit, const LadderStep& step) {
  if (step.changed == 0) return admit.request;
  auto request = std::make_shared<core::Request>(*admit.request);
  if (!request->prompt_only) request->tokens_max = step.tokens_max;
  if (step.model == request->model) return request;
  request->model = step.model;
  for (const RouterCore::Alternative& other : admit.alternatives) {
    if (other.model == step.model) request->prompt = other.prompt;
  }
  return request;
}

core::Result<AdmissionPlan> RouterState::plan_options(const RouterCore::Admit& admit, Instant now) {
  const core::Request& asked = *admit.request;
  const TenantRules& rules = rules_of(asked.key.tenant);
  const bool open = asked.tokens_max == 0 && !asked.prompt_only;
  std::uint32_t tokens_max = asked.prompt_only ? 1 : asked.tokens_max;  // a request without output cannot be made shorter
  const auto known = fit_tokens_max(asked, tokens_max);
  if (!known) return tl::make_unexpected(known.error());
  const auto available = [&](core::ModelId model) {
    return std::any_of(admit.alternatives.begin(), admit.alternatives.end(), [&](const auto& other) { return other.model == model; }) &&
           !views.of(model).list.empty();
  };
  std::vector<AdmissionEstimate> estimates;
  for (LadderStep& step : ladder_steps(rules.ladder, tokens_max, asked.model, available)) {
    const auto request = request_on(admit, step);
    const auto fitted = fit_tokens_max(*request, step.tokens_max);
    if (!fitted) continue;
    AdmissionEstimate& estimate = estimates.emplace_back();
    std::uint64_t output = step.tokens_max == 0 ? limits.output_tokens_max : step.tokens_max;
    if (asked.prompt_only) output = 0;
    estimate.cost = request->prompt.size() + output * asked.choices;
    // While nobody has told how long an open answer may become, it is not refused for what it might.
    if (open && !*fitted) estimate.cost = std::min(estimate.cost, rules.bucket.burst_tokens);
    if (admit.deadline > core::Duration{0}) {
      RouterStream probe;
      probe.key = asked.key;
      probe.request = request;
      probe.choices.resize(asked.choices);
      probe.names = names_of(admit, *request);
      // An answer whose length was left open may end with its first token.
      const bool shortened = step.tokens_max < tokens_max;
      estimate.time = best_time(probe, open && !shortened ? 1 : step.tokens_max, admit.deadline, now);
    }
    estimate.step = step;
  }
  std::uint32_t wanted = 0;
  if (!rules.ladder.empty()) {
    const std::uint32_t saturation = views.saturation_permille(asked.model, now, limits.report_stale);
    wanted = rungs_at(rules.ladder.size(), saturation, rules.saturation_permille, rules.saturation_step_permille);
  }
  AdmissionPlan plan = plan_admission(estimates, wanted, admit.deadline);
  if (!plan.options.empty()) return plan;
  SPILLWAY_ASSERT(plan.too_late);
  ++counters.refused_deadline;
  return core::fail(
      Errc::deadline_infeasible,
      "its last token would come in " + ms(admit.deadline + *plan.too_late) + " at the earliest, the deadline is in " + ms(admit.deadline),
      *plan.too_late);
}

core::NodeId RouterState::home_of(core::TenantId tenant, Instant now) {
  TenantAccount& account = accounts_[tenant];
  if (now < account.home_until && (account.home == self || views.up(account.home))) return account.home;
  account.home = self;
  std::uint64_t best = home_rank(tenant, self);
  for (const auto& [id, node] : views.all()) {
    const bool router = node.reported && (node.report.roles & static_cast<std::uint32_t>(core::Role::router)) != 0;
    if (id == self || !node.up || node.suspect || node.report.draining || !router) continue;
    const std::uint64_t rank = home_rank(tenant, id);
    if (rank > best || (rank == best && id < account.home)) account.home = id, best = rank;
  }
  account.home_until = now + home_kept;
  return account.home;
}

void RouterState::ask_quota(RouterCore::Admit admit, AdmissionPlan plan, std::uint32_t asked, Instant now, Actions& out) {
  const core::TenantId tenant = admit.request->key.tenant;
  const BucketRules& rules = rules_of(tenant).bucket;
  if (rules.tokens_per_second == 0) return decide(admit, plan, {true, 0, plan.options.front().wait_min}, now, out);
  core::QuotaAsk ask{++quota_asks_, tenant, {}};
  for (const AdmissionOption& option : plan.options) ask.options.push_back({option.cost, option.wait, option.wait_min});
  const core::NodeId home = home_of(tenant, now);
  if (home == self) return decide(admit, plan, take_quota(accounts_[tenant].bucket, rules, ask.options, now), now, out);
  quota_keys_[admit.request->key] = ask.number;
  quota_waits_.emplace(ask.number, QuotaWait{std::move(admit), std::move(plan), home, asked, now, now + limits.run_give_up});
  post(home, std::move(ask), out);
}

void RouterState::decide(const RouterCore::Admit& admit, const AdmissionPlan& plan, const QuotaVerdict& verdict, Instant now,
                         Actions& out) {
  if (verdict.granted) {
    const bool by_quota = verdict.option > 0 || verdict.wait > plan.options[verdict.option].wait_min;
    return begin(admit, plan.options[verdict.option].step, by_quota ? core::Pressure::quota : plan.pressure, verdict.wait, now, out);
  }
  ++counters.refused_quota;
  const std::uint64_t cost = plan.options.back().cost;
  if (verdict.wait > core::Duration{0}) {
    return refuse(
        admit,
        {Errc::queue_full, "tenant " + admit.tenant_name + " has used up its tokens for now: this request costs " + std::to_string(cost),
         verdict.wait},
        out);
  }
  refuse(admit,
         {Errc::bad_argument,
          "the request costs " + std::to_string(cost) + " tokens, and tenant " + admit.tenant_name + " may ask for " +
              std::to_string(rules_of(admit.request->key.tenant).bucket.burst_tokens) + " at once: shorten the prompt or lower max_tokens",
          {}},
         out);
}

void RouterState::on(core::NodeId from, const core::QuotaAsk& message, Instant now, Actions& out) {
  if (message.options.size() > options_max) return;
  const BucketRules& rules = rules_of(message.tenant).bucket;
  QuotaVerdict verdict{!message.options.empty(), 0, core::Duration{0}};
  if (rules.tokens_per_second > 0) verdict = take_quota(accounts_[message.tenant].bucket, rules, message.options, now);
  post(from, core::QuotaReply{message.number, verdict.granted, verdict.option, verdict.wait}, out);
}

void RouterState::on(core::NodeId from, const core::QuotaReply& message, Instant now, Actions& out) {
  const auto found = quota_waits_.find(message.number);
  if (found == quota_waits_.end() || found->second.home != from) return;
  const QuotaWait wait = end_quota_wait(found, now);
  if (message.granted && message.option >= wait.plan.options.size()) {
    return refuse(wait.admit, {Errc::internal, "router " + views.name(from) + " granted what was not asked for", {}}, out);
  }
  if (const auto fine = check_admission(wait.admit, now); !fine) return refuse(wait.admit, fine.error(), out);
  decide(wait.admit, wait.plan, {message.granted, message.option, message.wait}, now, out);
}

QuotaWait RouterState::end_quota_wait(std::map<std::uint64_t, QuotaWait>::iterator at, Instant now) {
  quota_keys_.erase(at->second.admit.request->key);
  QuotaWait wait = std::move(at->second);
  quota_waits_.erase(at);
  core::Duration& deadline = wait.admit.deadline;
  if (deadline > core::Duration{0}) deadline = std::max(deadline - (now - wait.asked_at), core::Duration{1});
  return wait;
}

void RouterState::quota_tick(Instant now, Actions& out) {
  // In order of the numbers, and all wait equally long: the first is due first.
  while (!quota_waits_.empty() && now >= quota_waits_.begin()->second.give_up_at) {
    ask_again(end_quota_wait(quota_waits_.begin(), now), now, out);
  }
}

void RouterState::ask_again(QuotaWait wait, Instant now, Actions& out) {
  accounts_[wait.admit.request->key.tenant].home_until = Instant{};
  if (wait.asked < asks_max) return ask_quota(std::move(wait.admit), std::move(wait.plan), wait.asked + 1, now, out);
  const std::string why = "the router that keeps the tokens of tenant " + wait.admit.tenant_name + " does not answer";
  refuse(wait.admit, {Errc::unavailable, why, retry_soon}, out);
}

void RouterState::quota_home_down(core::NodeId home, Instant now, Actions& out) {
  std::vector<std::uint64_t> asked;
  for (const auto& [number, wait] : quota_waits_) {
    if (wait.home == home) asked.push_back(number);
  }
  for (const std::uint64_t number : asked) ask_again(end_quota_wait(quota_waits_.find(number), now), now, out);
}

bool RouterState::cancel_quota(ClientRef client, const StreamKey& key, Instant now, Actions& out) {
  const auto number = quota_keys_.find(key);
  if (number == quota_keys_.end()) return false;
  const auto found = quota_waits_.find(number->second);
  if (found->second.admit.client != client) return true;
  const QuotaWait wait = end_quota_wait(found, now);
  refuse(wait.admit, {Errc::cancelled, "cancelled before it began", {}}, out);
  return true;
}

void RouterState::drop_quota_waits(std::optional<ClientRef> client, const core::Error& why, Instant now, Actions& out) {
  for (auto it = quota_waits_.begin(); it != quota_waits_.end();) {
    const auto next = std::next(it);
    if (!client || it->second.admit.client == *client) refuse(end_quota_wait(it, now).admit, why, out);
    it = next;
  }
}

}  // namespace spillway::sched
