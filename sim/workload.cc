#include "sim/workload.h"

#include <algorithm>
#include <numeric>

#include "core/assert.h"

namespace spillway::sim {
namespace {

constexpr std::uint32_t unset = 0xffffffffU;

/// Numbers by first use.
class Renumbering {
 public:
  Renumbering(std::size_t old_count, std::uint32_t first) : numbers_(old_count, unset), next_{first} {}
  /// The new number, and whether this is its first use.
  std::pair<std::uint32_t, bool> operator()(std::uint32_t old) {
    std::uint32_t& number = numbers_.at(old);
    const bool first = number == unset;
    if (first) number = next_++;
    return {number, first};
  }
  std::uint32_t next() const { return next_; }

 private:
  std::vector<std::uint32_t> numbers_;
  std::uint32_t next_;
};

bool is_time(std::int64_t ns) {
  return ns >= 0 && ns <= workload_time_ns_max;
}

}  // namespace

std::uint32_t NameTable::add(std::string_view name) {
  if (const auto known = numbers_.find(name); known != numbers_.end()) return known->second;
  const auto number = size();
  names_.emplace_back(name);
  numbers_.emplace(name, number);
  return number;
}

std::uint32_t WorkloadBuilder::session_number(std::uint64_t session) {
  if (session == 0) return 0;
  const auto [entry, fresh] = session_numbers_.try_emplace(session, draft_.sessions + 1);
  if (fresh) ++draft_.sessions;
  return entry->second;
}

std::uint32_t WorkloadBuilder::add(const DraftRequest& request) {
  SPILLWAY_ASSERT(is_time(request.think_ns) && is_time(request.deadline_ns));
  SPILLWAY_ASSERT(request.input_tokens >= 1 && request.input_tokens <= workload_tokens_max);
  SPILLWAY_ASSERT(request.output_tokens <= workload_tokens_max);
  SPILLWAY_ASSERT(request.blocks.empty() || request.block_tokens > 0);
  full_ = full_ || draft_.requests.size() >= workload_requests_max || draft_.distinct_blocks > workload_blocks_max - request.blocks.size();
  if (full_) return size();
  SPILLWAY_ASSERT(request.parent == no_parent || request.parent < size());
  auto& record = draft_.requests.emplace_back();
  record.arrival_ns = request.arrival_ns;
  record.think_ns = request.think_ns;
  record.deadline_ns = request.deadline_ns;
  record.first_block = draft_.blocks.size();
  record.block_count = static_cast<std::uint32_t>(request.blocks.size());
  record.input_tokens = request.input_tokens;
  record.output_tokens = request.output_tokens;
  record.tenant = draft_.tenants.add(request.tenant);
  record.model = draft_.models.add(request.model);
  record.session = session_number(request.session);
  record.parent = request.parent;
  record.block_tokens = request.blocks.empty() ? std::uint16_t{0} : request.block_tokens;
  record.service_class = request.service_class;
  record.supersedes = request.supersedes;
  if (request.blocks.empty()) return size() - 1;
  auto& numbers = block_numbers_[request.block_tokens];
  for (const std::uint64_t block : request.blocks) {
    const auto [entry, fresh] = numbers.try_emplace(block, draft_.distinct_blocks);
    if (fresh) ++draft_.distinct_blocks;
    draft_.blocks.push_back(entry->second);
  }
  return size() - 1;
}

void WorkloadBuilder::set_parent(std::uint32_t request, std::uint32_t parent, std::uint64_t session) {
  SPILLWAY_ASSERT(request < size() && (parent == no_parent || parent < size()));
  draft_.requests[request].parent = parent;
  draft_.requests[request].session = session_number(session);
}

void WorkloadBuilder::shift(std::int64_t by_ns) {
  for (auto& request : draft_.requests) request.arrival_ns -= by_ns;
}

core::Result<Workload> WorkloadBuilder::finish() {
  if (full_)
    return core::fail(core::Errc::bad_file, "the workload is too long: want at most " + std::to_string(workload_requests_max) +
                                                " requests and " + std::to_string(workload_blocks_max) + " distinct blocks");
  return normal_form(std::move(draft_));
}

Workload normal_form(Workload draft) {
  const auto count = draft.requests.size();
  const auto earlier = [&](std::uint32_t a, std::uint32_t b) { return draft.requests[a].arrival_ns < draft.requests[b].arrival_ns; };
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), earlier);
  std::vector<std::uint32_t> place(count);
  for (std::uint32_t i = 0; i < count; ++i) place[order[i]] = i;

  Workload out;
  out.requests.reserve(count);
  out.blocks.reserve(draft.blocks.size());
  Renumbering sessions(draft.sessions + 1, 1);
  Renumbering blocks(draft.distinct_blocks, 0);
  Renumbering tenants(draft.tenants.size(), 0);
  Renumbering models(draft.models.size(), 0);
  for (const std::uint32_t index : order) {
    WorkloadRequest request = draft.requests[index];
    SPILLWAY_ASSERT(is_time(request.arrival_ns));
    if (request.parent != no_parent) {
      request.parent = place.at(request.parent);
      SPILLWAY_ASSERT(request.parent < out.requests.size());
    }
    if (request.session != 0) request.session = sessions(request.session).first;
    const auto tenant = tenants(request.tenant);
    if (tenant.second) out.tenants.add(draft.tenants.at(request.tenant));
    const auto model = models(request.model);
    if (model.second) out.models.add(draft.models.at(request.model));
    request.tenant = tenant.first;
    request.model = model.first;
    const auto old_blocks = draft.blocks_of(request);
    request.first_block = out.blocks.size();
    for (const std::uint32_t block : old_blocks) out.blocks.push_back(blocks(block).first);
    out.requests.push_back(request);
  }
  out.sessions = sessions.next() - 1;
  out.distinct_blocks = blocks.next();
  return out;
}

}  // namespace spillway::sim
