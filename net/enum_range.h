#pragma once

#include "core/envelope.h"

namespace spillway::net {

/// Highest value of each enum that travels; a test holds it against to_string. Enums travel as integers from 0.
template <class E>
inline constexpr E enum_max = E{};  // an enum without a line below does not decode beyond 0

template <>
inline constexpr auto enum_max<core::Errc> = core::Errc::draining;
template <>
inline constexpr auto enum_max<core::FinishReason> = core::FinishReason::error;
template <>
inline constexpr auto enum_max<core::ServiceClass> = core::ServiceClass::batch;
template <>
inline constexpr auto enum_max<core::PageFormat> = core::PageFormat::raw16;
template <>
inline constexpr auto enum_max<core::Lane> = core::Lane::bulk;
template <>
inline constexpr auto enum_max<core::DrainMode> = core::DrainMode::stop;
template <>
inline constexpr auto enum_max<core::EnvelopeKind> = core::EnvelopeKind::refuse;
template <>
inline constexpr auto enum_max<core::Pressure> = core::Pressure::saturation;
template <>
inline constexpr auto enum_max<core::PromptKind> = core::PromptKind::tokens;
template <>
inline constexpr auto enum_max<core::NodeState> = core::NodeState::down;

}  // namespace spillway::net
