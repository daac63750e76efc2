#include "sim/event_generator.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <set>

#include "sim/workload_stats.h"
#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::int64_t second = 1'000'000'000;

EventSpec match() {
  EventSpec spec;
  spec.duration = minutes{20};
  for (const auto& [kind, at] :
       {std::pair{MomentKind::kick_off, minutes{2}}, {MomentKind::goal, minutes{8}}, {MomentKind::breaking_news, minutes{14}}}) {
    spec.moments.push_back(usual_moment(kind));
    spec.moments.back().at = at;
  }
  return spec;
}

EventSpec quiet() {
  EventSpec spec;
  spec.captions.channels = 0;
  spec.chat.sessions_per_minute = 0;
  spec.moderation.uploads_per_minute = 0;
  return spec;
}

/// Requests of a class with arrivals in [from, to).
std::uint64_t count(const Workload& workload, core::ServiceClass service_class, std::int64_t from_s, std::int64_t to_s,
                    bool roots_alone = false) {
  return static_cast<std::uint64_t>(std::count_if(workload.requests.begin(), workload.requests.end(), [&](const WorkloadRequest& r) {
    return r.service_class == service_class && r.arrival_ns >= from_s * second && r.arrival_ns < to_s * second &&
           (!roots_alone || r.parent == no_parent);
  }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(event_generator)

BOOST_AUTO_TEST_CASE(one_seed_gives_the_same_bytes_and_another_others) {
  std::set<std::uint64_t> digests;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto made = generate_event(match(), seed).value();
    check_normal_form(made);
    BOOST_TEST((made == generate_event(match(), seed).value()));
    digests.insert(digest_of(made));
  }
  BOOST_TEST(digests.size() == 5U);
  BOOST_TEST(digest_of(generate_event(match(), 1).value()) == 9'817'938'593'684'366'973U);  // the same with every compiler
}

BOOST_AUTO_TEST_CASE(captions_come_by_channel_and_language_at_their_cadence) {
  EventSpec spec = quiet();
  spec.duration = minutes{10};
  spec.captions.channels = 3;
  spec.captions.languages = {"de", "en"};
  const auto made = generate_event(spec, 5).value();
  BOOST_TEST(made.sessions == 6U);
  std::map<std::uint32_t, std::vector<std::int64_t>> arrivals;
  std::set<std::uint32_t> seen;
  for (const auto& request : made.requests) {
    BOOST_TEST((request.service_class == core::ServiceClass::live));
    BOOST_TEST(request.deadline_ns == 3 * second);
    BOOST_TEST(request.supersedes == !seen.insert(request.session).second);
    BOOST_TEST((request.parent != no_parent) == request.supersedes);
    BOOST_TEST(request.block_count == request.input_tokens / 16);
    arrivals[request.session].push_back(request.arrival_ns);
  }
  for (const auto& [session, times] : arrivals) {
    BOOST_TEST(times.front() < 4 * second);
    // 600 s by gaps of 3 to 5 s: 150 captions, their number within five of its deviation, 5 * 0.145 * sqrt(150).
    BOOST_TEST(std::abs(static_cast<double>(times.size()) - 150) < 10);
    for (std::size_t i = 1; i < times.size(); ++i) {
      BOOST_TEST(times[i] - times[i - 1] >= 3 * second - 1);
      BOOST_TEST(times[i] - times[i - 1] <= 5 * second + 1);
    }
  }
  // Languages of a channel hear the same words at the same time.
  std::map<std::int64_t, int> at_once;
  for (const auto& request : made.requests) ++at_once[request.arrival_ns];
  for (const auto& [time, requests] : at_once) BOOST_TEST(requests == 2);
}

BOOST_AUTO_TEST_CASE(glossaries_are_shared_within_a_language_until_news_break) {
  EventSpec spec = quiet();
  spec.duration = minutes{4};
  spec.captions.channels = 4;
  spec.captions.languages = {"de", "en", "fr"};
  spec.captions.glossary_tokens = 100;  // six full blocks of 16; the seventh holds words of the caption too
  spec.moments.push_back(usual_moment(MomentKind::breaking_news));
  spec.moments.back().at = minutes{2};
  const auto made = generate_event(spec, 6).value();
  std::set<std::vector<std::uint32_t>> before;
  std::set<std::vector<std::uint32_t>> after;
  std::set<std::uint32_t> own;
  std::size_t own_blocks = 0;
  for (const auto& request : made.requests) {
    if (request.service_class != core::ServiceClass::live) continue;
    const auto blocks = made.blocks_of(request);
    BOOST_REQUIRE(blocks.size() >= 6U);
    (request.arrival_ns < 120 * second ? before : after).insert({blocks.begin(), blocks.begin() + 6});
    own.insert(blocks.begin() + 6, blocks.end());
    own_blocks += blocks.size() - 6;
  }
  BOOST_TEST(before.size() == 3U);
  BOOST_TEST(after.size() == 3U);
  for (const auto& glossary : after) BOOST_TEST(!before.contains(glossary));
  BOOST_TEST(own.size() == own_blocks);  // nothing else is shared
}

BOOST_AUTO_TEST_CASE(a_turn_of_chat_brings_the_turns_before_it_along) {
  EventSpec spec = quiet();
  spec.chat.sessions_per_minute = 30;
  spec.chat.turns = 5;
  const auto made = generate_event(spec, 7).value();
  std::uint64_t continued = 0;
  for (const auto& request : made.requests) {
    BOOST_TEST(request.session != 0U);
    if (request.parent == no_parent) continue;
    ++continued;
    const auto& parent = made.requests[request.parent];
    BOOST_TEST(request.input_tokens > parent.input_tokens + parent.output_tokens);
    BOOST_TEST(request.arrival_ns == parent.arrival_ns + request.think_ns + parent.output_tokens * 25'000'000LL);
    const auto blocks = made.blocks_of(request);
    const auto before = made.blocks_of(parent);
    BOOST_TEST(std::equal(before.begin(), before.end(), blocks.begin()));
    BOOST_TEST(!request.supersedes);
  }
  BOOST_TEST(continued > made.sessions * 2U);  // five turns on average, some cut by the end
  const auto system = 256 / 16;
  for (const auto& request : made.requests) BOOST_TEST(made.blocks_of(request)[system - 1] == made.blocks_of(made.requests[0])[system - 1]);
}

BOOST_AUTO_TEST_CASE(chat_without_bursts_is_poisson_and_bursts_are_not) {
  EventSpec spec = quiet();
  spec.duration = std::chrono::hours{2};
  spec.chat.turns = 1;
  spec.chat.sessions_per_minute = 300;
  spec.chat.burst_percent = 100;
  const auto calm = stats_of(generate_event(spec, 8).value());
  // 36,000 arrivals in 7,200 s: five deviations of the count, and of a dispersion near 1 (sqrt(2 / 7200) each).
  BOOST_TEST(std::abs(static_cast<double>(calm.requests) - 36'000) < 5 * std::sqrt(36'000));
  BOOST_TEST(std::abs(calm.dispersion_1s - 1) < 5 * std::sqrt(2.0 / 7200), calm.dispersion_1s);
  spec.chat.burst_percent = 1000;
  const auto wild = stats_of(generate_event(spec, 8).value());
  BOOST_TEST(wild.dispersion_1s > 5, wild.dispersion_1s);
}

BOOST_AUTO_TEST_CASE(a_goal_brings_chat_captions_and_a_flood_of_uploads) {
  EventSpec spec = match();
  spec.chat.burst_percent = 100;
  std::uint64_t goal_chat = 0;
  std::uint64_t calm_chat = 0;
  std::uint64_t goal_captions = 0;
  std::uint64_t calm_captions = 0;
  std::uint64_t flood = 0;
  constexpr std::uint64_t seeds = 10;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto made = generate_event(spec, seed).value();
    goal_chat += count(made, core::ServiceClass::interactive, 480, 540, true);
    calm_chat += count(made, core::ServiceClass::interactive, 420, 480, true);
    goal_captions += count(made, core::ServiceClass::live, 480, 540);
    calm_captions += count(made, core::ServiceClass::live, 420, 480);
    flood += count(made, core::ServiceClass::batch, 480, 1200) - count(made, core::ServiceClass::batch, 480, 481);
  }
  // 60 sessions a minute and six times as many, Poisson: five deviations.
  BOOST_TEST(std::abs(static_cast<double>(calm_chat) - 60.0 * seeds) < 5 * std::sqrt(60.0 * seeds), calm_chat);
  BOOST_TEST(std::abs(static_cast<double>(goal_chat) - 360.0 * seeds) < 5 * std::sqrt(360.0 * seeds), goal_chat);
  const double faster = static_cast<double>(goal_captions) / static_cast<double>(calm_captions);
  BOOST_TEST(std::abs(faster - 1 / 0.6) < 0.12, faster);
  BOOST_TEST(flood > 400U * seeds);
}

BOOST_AUTO_TEST_CASE(a_flood_is_poisson_behind_its_moment) {
  EventSpec spec = quiet();
  spec.moments.push_back(usual_moment(MomentKind::goal));
  spec.moments.back().at = minutes{5};
  double sum = 0;
  double delay = 0;
  constexpr std::uint64_t seeds = 50;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto made = generate_event(spec, seed).value();
    sum += static_cast<double>(made.requests.size());
    for (const auto& request : made.requests) {
      BOOST_TEST((request.service_class == core::ServiceClass::batch));
      BOOST_TEST(request.arrival_ns >= 300 * second);
      delay += static_cast<double>(request.arrival_ns - 300 * second) / 1e9;
    }
  }
  BOOST_TEST(std::abs(sum - 400.0 * seeds) < 5 * std::sqrt(400.0 * seeds), sum);
  BOOST_TEST(std::abs(delay / sum - 45) < 5 * 45 / std::sqrt(sum), delay / sum);
}

BOOST_AUTO_TEST_CASE(a_change_of_one_part_leaves_the_others) {
  const auto base = generate_event(match(), 3).value();
  EventSpec spec = match();
  spec.moderation.uploads_per_minute = 90;
  spec.moderation.output_tokens = 20;
  const auto changed = generate_event(spec, 3).value();
  const auto others = [](const Workload& workload) {
    std::vector<std::array<std::int64_t, 3>> out;
    for (const auto& r : workload.requests) {
      if (r.service_class != core::ServiceClass::batch) out.push_back({r.arrival_ns, r.input_tokens, r.output_tokens});
    }
    return out;
  };
  BOOST_TEST((others(base) == others(changed)));
  BOOST_TEST(count(changed, core::ServiceClass::batch, 0, 1200) > count(base, core::ServiceClass::batch, 0, 1200));
}

BOOST_AUTO_TEST_CASE(an_event_without_requests_is_refused) {
  const auto result = generate_event(quiet(), 1);
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().message == "the event has no requests: want captions, chat or moderation, and a longer duration");
}

BOOST_AUTO_TEST_SUITE_END()
