#include "sched/cache_core.h"

#include <algorithm>

#include "sched/export_transfer.h"
#include "sched/import_transfer.h"

namespace spillway::sched {

struct CacheCore::State {
  CacheContext context;
  Exports exports{context};
  Imports imports{context};
};

CacheCore::CacheCore(core::NodeId self, core::Incarnation incarnation, const CacheLimits& limits) : state_(std::make_unique<State>()) {
  state_->context.self = self;
  state_->context.incarnation = incarnation;
  state_->context.limits = limits;
}

CacheCore::~CacheCore() = default;
CacheCore::CacheCore(CacheCore&&) noexcept = default;
CacheCore& CacheCore::operator=(CacheCore&&) noexcept = default;

void CacheCore::set_replica(std::uint32_t index, const core::ReplicaInfo& info) {
  state_->context.replicas[index] = info;
}

void CacheCore::on(const core::Move& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::Release& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::StillYours& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::Gone& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::OfferReply& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::MissingPages& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const core::HandoffReply& message, Instant now, Actions& out) {
  state_->exports.on(message, now, out);
}
void CacheCore::on(const ExportGrown& event, Instant now, Actions& out) {
  state_->exports.on(event, now, out);
}
void CacheCore::on(const ExportEnded& event, Instant now, Actions& out) {
  state_->exports.on(event, now, out);
}
void CacheCore::on(const ExportFrozen& event, Instant now, Actions& out) {
  state_->exports.on(event, now, out);
}
void CacheCore::on(const RowsRead& event, Instant now, Actions& out) {
  state_->exports.on(event, now, out);
}
void CacheCore::on_credit(core::NodeId peer, std::uint64_t bytes_in_flight, Instant now, Actions& out) {
  state_->exports.on_credit(peer, bytes_in_flight, now, out);
}

void CacheCore::on(const core::Offer& message, Instant now, Actions& out) {
  state_->imports.on(message, now, out);
}
void CacheCore::on(const core::PageFrame& message, Instant now, Actions& out) {
  state_->imports.on(message, now, out);
}
void CacheCore::on(const core::Handoff& message, Instant now, Actions& out) {
  state_->imports.on(message, now, out);
}
void CacheCore::on(const ImportReserved& event, Instant now, Actions& out) {
  state_->imports.on(event, now, out);
}
void CacheCore::on(const ImportCommitted& event, Instant now, Actions& out) {
  state_->imports.on(event, now, out);
}
void CacheCore::on(const RowsWritten& event, Instant now, Actions& out) {
  state_->imports.on(event, now, out);
}

void CacheCore::on(const core::TransferAbort& message, Instant now, Actions& out) {
  // A transfer between two replicas of this node has both sides here.
  state_->exports.on(message, now, out);
  state_->imports.on(message, now, out);
}

void CacheCore::on_device_lost(TransferId transfer, std::string_view reason, Instant, Actions& out) {
  // A transfer between two replicas of this node has both sides here.
  state_->exports.on_device_lost(transfer, reason, out);
  state_->imports.on_device_lost(transfer, reason, out);
}

void CacheCore::on_peer_gone(core::NodeId peer, Instant now, Actions& out) {
  state_->exports.on_peer_gone(peer, now, out);
  state_->imports.on_peer_gone(peer, now, out);
}

void CacheCore::on_tick(Instant now, Actions& out) {
  state_->exports.on_tick(now, out);
  state_->imports.on_tick(now, out);
}

Instant CacheCore::next_tick() const {
  return std::min(state_->exports.next_tick(), state_->imports.next_tick());
}
core::NodeCounters CacheCore::counters() const {
  return state_->context.counters;
}
std::size_t CacheCore::exports() const {
  return state_->exports.size();
}
std::size_t CacheCore::imports() const {
  return state_->imports.size();
}

void CacheCore::check() const {
  state_->exports.check();
  state_->imports.check();
}

}  // namespace spillway::sched
