#include "sim/event_generator.h"

#include <algorithm>

#include "core/assert.h"
#include "sim/workload_random.h"

namespace spillway::sim {
namespace {

constexpr std::int64_t minute_ns = 60'000'000'000;
constexpr std::uint32_t length_factor_max = 8;  ///< longest text over the mean one
constexpr std::uint64_t poisson_max = 10'000'000;

struct Interval {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

/// A length with this mean: gamma with shape 2, so that most are near it and few are long.
std::uint32_t draw_tokens(CounterRandom& random, std::uint32_t mean) {
  const double tokens = random.gamma(2, mean / 2.0) + 0.5;
  return std::clamp(static_cast<std::uint32_t>(std::min(tokens, 1e9)), 1U, mean * length_factor_max);
}

std::int64_t draw_ns(CounterRandom& random, double mean_ns) {
  return static_cast<std::int64_t>(std::min(random.exponential(mean_ns), 1e18));
}

/// When an on/off source is on, from a start in equilibrium: on with probability on / (on + off).
std::vector<Interval> on_intervals(CounterRandom& random, core::Duration on, core::Duration off, std::int64_t end_ns) {
  const auto mean_on = static_cast<double>(on.count());
  const auto mean_off = static_cast<double>(off.count());
  std::vector<Interval> out;
  bool is_on = random.uniform() < mean_on / (mean_on + mean_off);
  for (std::int64_t t = 0; t < end_ns;) {
    const auto next = std::min(end_ns, t + std::max<std::int64_t>(1, draw_ns(random, is_on ? mean_on : mean_off)));
    if (is_on) out.push_back({t, next});
    is_on = !is_on;
    t = next;
  }
  return out;
}

bool covers(const std::vector<Interval>& intervals, std::int64_t t) {
  const auto after =
      std::upper_bound(intervals.begin(), intervals.end(), t, [](std::int64_t at, const Interval& i) { return at < i.begin_ns; });
  return after != intervals.begin() && t < (after - 1)->end_ns;
}

class Generator {
 public:
  Generator(const EventSpec& spec, std::uint64_t seed) : spec_{spec}, seed_{seed}, end_ns_{spec.duration.count()} {}

  core::Result<Workload> run() {
    add_captions();
    add_chat();
    add_trickle();
    add_floods();
    if (too_many_)
      return core::fail(core::Errc::bad_argument,
                        "the event has too many sessions or uploads: want at most " + std::to_string(poisson_max) + " of each source");
    auto workload = builder_.finish();
    if (workload && workload->requests.empty())
      return core::fail(core::Errc::bad_argument, "the event has no requests: want captions, chat or moderation, and a longer duration");
    return workload;
  }

 private:
  using Blocks = std::vector<std::uint64_t>;

  /// Times of a Poisson process at `per_minute` (> 0) over the interval.
  std::vector<std::int64_t> poisson_times(CounterRandom& random, double per_minute, Interval where) {
    std::vector<std::int64_t> times;
    const double mean_ns = static_cast<double>(minute_ns) / per_minute;
    double t = static_cast<double>(where.begin_ns);
    while (times.size() < poisson_max) {
      t += random.exponential(mean_ns);
      if (t >= static_cast<double>(where.end_ns)) return times;
      times.push_back(static_cast<std::int64_t>(t));
    }
    too_many_ = true;
    return times;
  }

  /// New blocks behind those of `chain`, until it covers the full blocks of `tokens`.
  void extend(Blocks& chain, std::uint64_t tokens) {
    while ((chain.size() + 1) * spec_.block_tokens <= tokens) chain.push_back(next_block_++);
  }
  Blocks fresh(std::uint64_t tokens) {
    Blocks chain;
    extend(chain, tokens);
    return chain;
  }

  DraftRequest draft(core::ServiceClass service_class, const std::string& tenant, const std::string& model, const Blocks& blocks) const {
    DraftRequest request;
    request.service_class = service_class;
    request.tenant = tenant;
    request.model = model;
    request.blocks = blocks;
    request.block_tokens = static_cast<std::uint16_t>(spec_.block_tokens);
    return request;
  }

  static bool is_during(const MomentSpec& moment, std::int64_t t) {
    return t >= moment.at.count() && t - moment.at.count() < moment.length.count();
  }

  std::uint32_t cadence_percent(std::int64_t t) const {
    std::uint32_t percent = 100;
    for (const auto& moment : spec_.moments) {
      if (is_during(moment, t)) percent = std::min(percent, moment.cadence_percent);
    }
    return percent;
  }

  /// How many pieces of breaking news there were until `t`.
  std::size_t edition(std::int64_t t) const {
    return static_cast<std::size_t>(std::count_if(spec_.moments.begin(), spec_.moments.end(), [t](const MomentSpec& moment) {
      return moment.kind == MomentKind::breaking_news && moment.at.count() <= t;
    }));
  }

  void add_captions() {
    const auto& spec = spec_.captions;
    if (spec.channels == 0) return;
    std::vector<std::vector<Blocks>> glossaries;  // of each edition, each language
    for (std::size_t i = 0; i <= spec_.moments.size(); ++i) {
      auto& edition = glossaries.emplace_back();
      for (std::size_t n = 0; n < spec.languages.size(); ++n) edition.push_back(fresh(spec.glossary_tokens));
    }
    for (std::uint32_t channel = 0; channel < spec.channels; ++channel) add_channel(channel, glossaries);
  }

  void add_channel(std::uint32_t channel, const std::vector<std::vector<Blocks>>& glossaries) {
    const auto& spec = spec_.captions;
    CounterRandom random(seed_, RandomUse::captions, channel);
    std::vector<std::uint32_t> last(spec.languages.size(), no_parent);
    const auto cadence = static_cast<double>(spec.cadence.count());
    double t = random.uniform() * cadence;
    while (t < static_cast<double>(end_ns_) && !builder_.full()) {
      const auto now = static_cast<std::int64_t>(t);
      const std::uint32_t said = draw_tokens(random, spec.text_tokens);
      for (std::size_t language = 0; language < spec.languages.size(); ++language) {
        Blocks blocks = glossaries[edition(now)][language];
        extend(blocks, std::uint64_t{spec.glossary_tokens} + said);
        auto request = draft(core::ServiceClass::live, spec.tenant, spec.model, blocks);
        request.arrival_ns = now;
        request.deadline_ns = spec.deadline.count();
        request.input_tokens = spec.glossary_tokens + said;
        request.output_tokens = draw_tokens(random, spec.output_tokens);
        request.session = 1 + channel * spec.languages.size() + language;
        request.parent = last[language];
        request.supersedes = request.parent != no_parent;
        last[language] = builder_.add(request);
      }
      const double jitter = 1 + spec.jitter_percent / 100.0 * (2 * random.uniform() - 1);
      t += std::max(1e6, cadence * cadence_percent(now) / 100 * jitter);
    }
    next_session_ = 1 + spec.channels * spec.languages.size();
  }

  /// Percent of the rate of new sessions at `t`.
  std::uint64_t chat_percent(std::int64_t t, const std::vector<Interval>& bursts) const {
    std::int64_t moments = 100;
    for (const auto& moment : spec_.moments) {
      if (is_during(moment, t)) moments += std::int64_t{moment.chat_percent} - 100;
    }
    const std::uint64_t burst = covers(bursts, t) ? spec_.chat.burst_percent : 100;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, moments)) * burst / 100;
  }

  void add_chat() {
    const auto& spec = spec_.chat;
    if (spec.sessions_per_minute == 0) return;
    CounterRandom switches(seed_, RandomUse::chat_bursts);
    const auto bursts = on_intervals(switches, spec.burst_on, spec.burst_off, end_ns_);
    // Candidates at the highest rate there can be; each stays with the probability of the rate at its time.
    std::uint64_t most = 100;
    for (const auto& moment : spec_.moments) most += std::max(100U, moment.chat_percent) - 100;
    most = most * std::max(100U, spec.burst_percent) / 100;
    CounterRandom random(seed_, RandomUse::chat_sessions);
    const Blocks system = fresh(spec.system_tokens);
    std::uint32_t number = 0;
    for (const auto t : poisson_times(random, spec.sessions_per_minute * (static_cast<double>(most) / 100), {0, end_ns_})) {
      ++number;
      if (random.uniform() * static_cast<double>(most) < static_cast<double>(chat_percent(t, bursts))) add_session(t, number, system);
    }
  }

  void add_session(std::int64_t t, std::uint32_t number, const Blocks& system) {
    const auto& spec = spec_.chat;
    CounterRandom random(seed_, RandomUse::chat_turns, 0, number);
    Blocks chain = system;
    std::uint64_t history = spec.system_tokens;
    std::uint32_t parent = no_parent;
    std::int64_t think = 0;
    const std::uint64_t session = next_session_++;
    for (std::uint32_t turn = 0; turn < event_turns_max && t < end_ns_; ++turn) {
      history += draw_tokens(random, spec.input_tokens);
      if (history > workload_tokens_max || builder_.full()) return;
      extend(chain, history);
      auto request = draft(core::ServiceClass::interactive, spec.tenant, spec.model, chain);
      request.arrival_ns = t;
      request.think_ns = think;
      request.input_tokens = static_cast<std::uint32_t>(history);
      request.output_tokens = draw_tokens(random, spec.output_tokens);
      request.session = session;
      request.parent = parent;
      parent = builder_.add(request);
      history += request.output_tokens;
      if (random.uniform() * spec.turns < 1) return;
      think = draw_ns(random, static_cast<double>(spec.think.count()));
      t += think + request.output_tokens * spec.answer_token.count();
    }
  }

  void add_upload(CounterRandom& random, std::int64_t t) {
    const auto& spec = spec_.moderation;
    if (policy_.empty()) policy_ = fresh(spec.policy_tokens);
    const std::uint32_t input = spec.policy_tokens + draw_tokens(random, spec.input_tokens);
    Blocks blocks = policy_;
    extend(blocks, input);
    auto request = draft(core::ServiceClass::batch, spec.tenant, spec.model, blocks);
    request.arrival_ns = t;
    request.input_tokens = input;
    request.output_tokens = draw_tokens(random, spec.output_tokens);
    builder_.add(request);
  }

  void add_trickle() {
    const auto& spec = spec_.moderation;
    if (spec.uploads_per_minute == 0) return;
    CounterRandom switches(seed_, RandomUse::upload_bursts);
    CounterRandom random(seed_, RandomUse::uploads);
    for (const auto& on : on_intervals(switches, spec.on, spec.off, end_ns_)) {
      for (const auto t : poisson_times(random, spec.uploads_per_minute, on)) add_upload(random, t);
    }
  }

  void add_floods() {
    for (std::uint32_t i = 0; i < spec_.moments.size(); ++i) {
      const auto& moment = spec_.moments[i];
      if (moment.uploads == 0) continue;
      CounterRandom random(seed_, RandomUse::floods, 0, i);
      // The number is Poisson: arrivals at this rate within one minute.
      const auto count = poisson_times(random, moment.uploads, {0, minute_ns}).size();
      for (std::size_t n = 0; n < count; ++n) {
        const std::int64_t t = moment.at.count() + draw_ns(random, static_cast<double>(moment.upload_delay.count()));
        if (t < end_ns_) add_upload(random, t);
      }
    }
  }

  const EventSpec& spec_;
  std::uint64_t seed_;
  std::int64_t end_ns_;
  WorkloadBuilder builder_;
  std::uint64_t next_block_ = 0;
  std::uint64_t next_session_ = 1;
  Blocks policy_;
  bool too_many_ = false;
};

}  // namespace

MomentSpec usual_moment(MomentKind kind) {
  using std::chrono::seconds;
  switch (kind) {
    case MomentKind::kick_off: return {kind, {}, seconds{120}, 300, 100, 50, seconds{60}};
    case MomentKind::goal: return {kind, {}, seconds{60}, 600, 60, 400, seconds{45}};
    case MomentKind::breaking_news: return {kind, {}, seconds{600}, 400, 75, 150, seconds{180}};
  }
  return {};
}

core::Result<Workload> generate_event(const EventSpec& spec, std::uint64_t seed) {
  SPILLWAY_ASSERT(spec.block_tokens >= 1 && spec.block_tokens <= workload_block_tokens_max);
  return Generator(spec, seed).run();
}

}  // namespace spillway::sim
