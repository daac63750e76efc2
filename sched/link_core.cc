#include "sched/link_core.h"

namespace spillway::sched {

struct LinkCore::State {};

LinkCore::LinkCore(core::NodeId, core::Incarnation, core::NodeId, const core::Hello&, const LinkLimits&, std::uint64_t)
    : state_(std::make_unique<State>()) {}
LinkCore::~LinkCore() = default;
LinkCore::LinkCore(LinkCore&&) noexcept = default;
bool LinkCore::send(const core::MessagePtr&, core::Instant, Actions&) { return false; }
void LinkCore::on(const core::Envelope&, core::Instant, Actions&) {}
void LinkCore::consumed(std::uint64_t, core::Instant, Actions&) {}
void LinkCore::on_tick(core::Instant, Actions&) {}
void LinkCore::set_hello(const core::Hello&) {}
core::Instant LinkCore::next_tick() const { return core::never; }
bool LinkCore::up() const { return false; }
bool LinkCore::suspect() const { return false; }
std::size_t LinkCore::unacked() const { return 0; }
core::Incarnation LinkCore::peer_incarnation() const { return {}; }

}  // namespace spillway::sched
