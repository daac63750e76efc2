#pragma once

#include "core/envelope.h"
#include "core/ladder.h"
#include "core/placement_policy.h"

namespace spillway::core {

/// Highest value of each enum that travels or is logged; a test holds it against to_string. Both write enums as integers from 0.
template <class E>
inline constexpr E enum_max = E{};  // an enum without a line below does not decode beyond 0

template <>
inline constexpr auto enum_max<Errc> = Errc::draining;
template <>
inline constexpr auto enum_max<FinishReason> = FinishReason::error;
template <>
inline constexpr auto enum_max<ServiceClass> = ServiceClass::batch;
template <>
inline constexpr auto enum_max<PageFormat> = PageFormat::raw16;
template <>
inline constexpr auto enum_max<Lane> = Lane::bulk;
template <>
inline constexpr auto enum_max<DrainMode> = DrainMode::stop;
template <>
inline constexpr auto enum_max<EnvelopeKind> = EnvelopeKind::refuse;
template <>
inline constexpr auto enum_max<PlacementPolicy> = PlacementPolicy::preble;
template <>
inline constexpr auto enum_max<Pressure> = Pressure::saturation;
template <>
inline constexpr auto enum_max<PromptKind> = PromptKind::tokens;
template <>
inline constexpr auto enum_max<GrammarKind> = GrammarKind::json_schema;
template <>
inline constexpr auto enum_max<NodeState> = NodeState::down;

template <>
inline constexpr auto enum_max<KvGroupKind> = KvGroupKind::state;
template <>
inline constexpr auto enum_max<Rung::Kind> = Rung::Kind::defer;

}  // namespace spillway::core
