#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "sim/workload.h"

/// A live event as a workload: captions of channels in many languages, chat beside it, moderation of what the crowd uploads,
/// and the moments (kick-off, goal, breaking news) that make all of it burst.
namespace spillway::sim {

/// Live captions. Each channel speaks every `cadence`; what it said is translated into each language at once. A channel in a
/// language is a session, whose newest caption supersedes the one before. All captions of a language begin with its glossary:
/// their full blocks are the same. Breaking news gives every language a new glossary.
struct CaptionSpec {
  std::uint32_t channels = 4;  ///< 0 = no captions
  std::vector<std::string> languages{"de", "en", "es", "fr"};
  core::Duration cadence = std::chrono::seconds{4};
  std::uint32_t jitter_percent = 25;  ///< each gap is cadence +- this part, evenly
  core::Duration deadline = std::chrono::seconds{3};
  std::uint32_t glossary_tokens = 512;
  std::uint32_t text_tokens = 60;    ///< mean of what was said
  std::uint32_t output_tokens = 40;  ///< mean
  std::string tenant = "captions";
  std::string model = "default";
};

/// Sessions of chat: Poisson, faster while a burst is on and during moments. A turn brings all turns before it along.
struct ChatSpec {
  std::uint32_t sessions_per_minute = 60;                       ///< 0 = no chat
  std::uint32_t burst_percent = 200;                            ///< of the rate while a burst is on
  core::Duration burst_on = std::chrono::seconds{20};           ///< mean length of a burst, exponential
  core::Duration burst_off = std::chrono::minutes{2};           ///< mean time between bursts, exponential
  std::uint32_t turns = 3;                                      ///< mean of a session, geometric
  core::Duration think = std::chrono::seconds{20};              ///< mean, exponential
  core::Duration answer_token = std::chrono::milliseconds{25};  ///< time of one token of an answer, before thinking begins
  std::uint32_t system_tokens = 256;                            ///< at the start of every prompt, the same for all
  std::uint32_t input_tokens = 100;                             ///< mean of what a user adds in a turn
  std::uint32_t output_tokens = 200;                            ///< mean
  std::string tenant = "chat";
  std::string model = "default";
};

/// Moderation of uploads, class batch: a trickle that is on and off, and a flood behind each moment.
struct ModerationSpec {
  std::uint32_t uploads_per_minute = 30;  ///< while on; 0 = only the floods
  core::Duration on = std::chrono::seconds{30};
  core::Duration off = std::chrono::seconds{60};
  std::uint32_t policy_tokens = 384;  ///< at the start of every prompt, the same for all
  std::uint32_t input_tokens = 300;   ///< mean of an upload
  std::uint32_t output_tokens = 8;    ///< mean
  std::string tenant = "moderation";
  std::string model = "default";
};

enum class MomentKind : std::uint8_t { kick_off, goal, breaking_news };

/// What happens at one time. Moments may overlap: what each adds to the chat is summed, the fastest cadence counts.
struct MomentSpec {
  MomentKind kind = MomentKind::goal;
  core::Duration at{0};
  core::Duration length = std::chrono::minutes{1};
  std::uint32_t chat_percent = 600;                        ///< of the rate of new sessions
  std::uint32_t cadence_percent = 60;                      ///< of the time between captions
  std::uint32_t uploads = 400;                             ///< mean of the flood, Poisson
  core::Duration upload_delay = std::chrono::seconds{45};  ///< mean, exponential
};
/// What a moment of this kind is like unless told otherwise.
MomentSpec usual_moment(MomentKind kind);

struct EventSpec {
  core::Duration duration = std::chrono::minutes{30};
  std::uint32_t block_tokens = 16;
  CaptionSpec captions;
  ChatSpec chat;
  ModerationSpec moderation;
  std::vector<MomentSpec> moments;
};

inline constexpr std::uint32_t event_turns_max = 64;  ///< of one session of chat

/// The requests of the event, each with the full blocks of its input. One seed and spec, the same workload; the parts draw from
/// streams of their own, so a change of one leaves the others. Errors: bad_argument for a spec without requests or with too many.
core::Result<Workload> generate_event(const EventSpec& spec, std::uint64_t seed);

}  // namespace spillway::sim
