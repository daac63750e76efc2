#pragma once

#include <filesystem>
#include <string_view>

#include "cluster-config/errors.h"
#include "sim/event_generator.h"

/// The file of a live event, TOML:
///   version = 1                 first key
///   duration, block_tokens
///   [captions] [chat] [moderation]   keys as the members of event_generator.h
///   [[moments]]                 kind = "kick-off", "goal" or "breaking-news", at, and what differs from the usual
/// A table that is left out has its defaults; captions.channels = 0 and the like switch a part off.
namespace spillway::sim {

inline constexpr std::size_t event_moments_max = 256;
inline constexpr std::uint64_t event_channels_max = 10'000;

/// A checked spec, or all that is wrong with the file, in order of the lines.
using LoadedEvent = tl::expected<EventSpec, config::ConfigErrors>;

LoadedEvent load_event(const std::filesystem::path& file);
/// The same for a text; `file` is only named in errors.
LoadedEvent parse_event(std::string_view text, std::string_view file);

}  // namespace spillway::sim
