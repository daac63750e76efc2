#include "sched/batcher_core.h"

#include "sched/batcher_state.h"

namespace spillway::sched {

struct BatcherCore::State : BatcherState {
  using BatcherState::BatcherState;
};

BatcherCore::BatcherCore(core::ReplicaRef self, core::Incarnation, const core::ReplicaInfo& info, const BatcherLimits& limits)
    : state_(std::make_unique<State>(self, info, limits)) {}
BatcherCore::~BatcherCore() = default;
BatcherCore::BatcherCore(BatcherCore&&) noexcept = default;
BatcherCore& BatcherCore::operator=(BatcherCore&&) noexcept = default;

void BatcherCore::on(const core::Run& run, Instant now, Actions& out) {
  state_->on_run(run, now, out);
  state_->flush_names(out);
}
void BatcherCore::on(const core::CancelRun& cancel, Instant now, Actions& out) {
  state_->on_cancel(cancel, now, out);
  state_->flush_names(out);
}
void BatcherCore::on(const core::BlockNames& names, Instant, Actions& out) {
  state_->on_names(names, out);
  state_->flush_names(out);
}
void BatcherCore::on(const ExportBegin& event, Instant, Actions& out) {
  state_->on_export_begin(event, out);
}
void BatcherCore::on(const ExportFreeze& event, Instant now, Actions& out) {
  state_->on_export_freeze(event, now, out);
}
void BatcherCore::on(const ExportThaw& event, Instant now, Actions& out) {
  state_->on_export_thaw(event, now, out);
  state_->flush_names(out);
}
void BatcherCore::on(const ExportRelease& event, Instant now, Actions& out) {
  state_->on_export_release(event, now, out);
  state_->flush_names(out);
}
void BatcherCore::on(const ImportReserve& event, Instant, Actions& out) {
  state_->on_import_reserve(event, out);
  state_->flush_names(out);
}
void BatcherCore::on(const ImportCommit& event, Instant now, Actions& out) {
  state_->on_import_commit(event, now, out);
  state_->flush_names(out);
}
void BatcherCore::on(const ImportCancel& event, Instant, Actions& out) {
  state_->on_import_cancel(event);
  state_->flush_names(out);
}
void BatcherCore::on(const core::StepResult& result, Instant now, Actions& out) {
  state_->on_result(result, now, out);
  state_->flush_names(out);
}
void BatcherCore::on_worker_failed(std::string_view reason, Instant now, Actions& out) {
  state_->on_worker_failed(reason, now, out);
  state_->flush_names(out);
}
void BatcherCore::on_worker_ready(Instant, Actions&) {
  if (state_->ready) return;
  state_->ready = true;
  ++state_->generation;
}
void BatcherCore::on_owner_gone(core::NodeId owner, core::Incarnation alive, Instant now, Actions& out) {
  state_->on_owner_gone(owner, alive, now, out);
  state_->flush_names(out);
}
void BatcherCore::on_tick(Instant now, Actions& out) {
  state_->on_tick(now, out);
  state_->flush_names(out);
}
void BatcherCore::set_draining(bool draining) {
  state_->draining = draining;
}
void BatcherCore::set_report_number(std::uint64_t number) {
  state_->report_number = number;
}
std::optional<core::StepPlan> BatcherCore::plan_step(Instant now, Actions& out) {
  auto plan = state_->plan_step(now, out);
  state_->flush_names(out);
  return plan;
}
void BatcherCore::set_guess_permille(std::uint32_t permille) {
  state_->guess_permille = permille;
}
std::optional<StepOutline> BatcherCore::begin_step(Instant now, Actions& out) {
  const auto outline = state_->begin_step(now, out);
  state_->flush_names(out);
  return outline;
}
void BatcherCore::end_step(core::Duration elapsed, bool tell_late, Instant now, Actions& out) {
  state_->end_step(elapsed, tell_late, now, out);
  state_->flush_names(out);
}
JumpRoom BatcherCore::jump_room(std::uint32_t steps_max) const {
  return state_->jump_room(steps_max);
}
void BatcherCore::jump(std::span<const core::Duration> elapsed, core::Duration overhead, Instant begun, Actions& out) {
  state_->jump(elapsed, overhead, begun);
  state_->flush_names(out);
}
void BatcherCore::tell_tokens(core::NodeId owner, std::uint32_t but_last, Actions& out) {
  state_->tell_tokens(owner, but_last, out);
}
core::ReplicaReport BatcherCore::report(Instant now) const {
  return state_->report(now);
}
std::vector<core::BlockName> BatcherCore::cached_names() const {
  return state_->ledger.names();
}
std::uint64_t BatcherCore::blocks_allocated() const {
  return state_->ledger.allocated();
}
const core::NodeCounters& BatcherCore::counters() const {
  return state_->counters;
}
Instant BatcherCore::next_tick() const {
  return state_->next_tick();
}
bool BatcherCore::idle() const {
  return state_->idle();
}
void BatcherCore::check() const {
  state_->check();
}

}  // namespace spillway::sched
