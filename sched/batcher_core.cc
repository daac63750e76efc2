#include "sched/batcher_core.h"

namespace spillway::sched {

struct BatcherCore::State {};

BatcherCore::BatcherCore(core::ReplicaRef, core::Incarnation, const core::ReplicaInfo&, const BatcherLimits&) : state_(std::make_unique<State>()) {}
BatcherCore::~BatcherCore() = default;
BatcherCore::BatcherCore(BatcherCore&&) noexcept = default;
void BatcherCore::on(const core::Run&, Instant, Actions&) {}
void BatcherCore::on(const core::CancelRun&, Instant, Actions&) {}
void BatcherCore::on(const core::BlockNames&, Instant, Actions&) {}
void BatcherCore::on(const ExportBegin&, Instant, Actions&) {}
void BatcherCore::on(const ExportFreeze&, Instant, Actions&) {}
void BatcherCore::on(const ExportThaw&, Instant, Actions&) {}
void BatcherCore::on(const ExportRelease&, Instant, Actions&) {}
void BatcherCore::on(const ImportReserve&, Instant, Actions&) {}
void BatcherCore::on(const ImportCommit&, Instant, Actions&) {}
void BatcherCore::on(const ImportCancel&, Instant, Actions&) {}
void BatcherCore::on(const core::StepResult&, Instant, Actions&) {}
void BatcherCore::on_worker_failed(std::string_view, Instant, Actions&) {}
void BatcherCore::on_worker_ready(Instant, Actions&) {}
void BatcherCore::on_owner_gone(core::NodeId, core::Incarnation, Instant, Actions&) {}
void BatcherCore::on_tick(Instant, Actions&) {}
void BatcherCore::set_draining(bool) {}
void BatcherCore::set_report_number(std::uint64_t) {}
std::optional<core::StepPlan> BatcherCore::plan_step(Instant, Actions&) { return std::nullopt; }
core::ReplicaReport BatcherCore::report(Instant) const { return {}; }
std::vector<core::BlockName> BatcherCore::cached_names() const { return {}; }
const core::NodeCounters& BatcherCore::counters() const {
  static const core::NodeCounters none;
  return none;
}
Instant BatcherCore::next_tick() const { return core::never; }
bool BatcherCore::idle() const { return true; }
void BatcherCore::check() const {}

}  // namespace spillway::sched
