#include "sim/request_source.h"

#include "core/step.h"

namespace spillway::sim {

namespace {

constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace

core::BlockName chained_name(const core::BlockName& before, std::uint64_t id) {
  return {{mix(before.hi ^ mix(id)) | 1U, mix(before.lo + id)}};
}

/// Even in its upper half, where chained names are odd.
core::BlockName own_name(std::uint64_t request, std::uint64_t block) {
  return {{(request + 1) << 1U, block}};
}

WorkloadSource::WorkloadSource(const Workload& workload) : workload_(workload), channels_(workload.sessions + 1U, false) {
  for (const auto& request : workload.requests) {
    if (request.supersedes) channels_[request.session] = true;
  }
}

ClientRequest WorkloadSource::request(std::uint64_t index) const {
  const auto& from = workload_.requests[index];
  ClientRequest made;
  made.input_tokens = from.input_tokens;
  made.output_tokens = from.output_tokens;
  made.tenant = from.tenant;
  made.model = from.model;
  made.session = from.session;
  made.service_class = from.service_class;
  made.deadline_ns = from.deadline_ns;
  if (from.session != 0 && channels_[from.session]) made.channel = "session " + std::to_string(from.session);
  return made;
}

void WorkloadSource::block_names(std::uint64_t index, std::vector<core::BlockName>& names) const {
  const auto& from = workload_.requests[index];
  const auto blocks = workload_.blocks_of(from);
  const std::uint64_t full = (std::uint64_t{from.input_tokens} + from.output_tokens) / core::block_tokens;
  names.clear();
  core::BlockName before;
  for (std::uint64_t b = 0; b < full; ++b) {
    const std::uint64_t last = (b + 1) * core::block_tokens - 1;  // its last token decides what it must share to be shared
    const bool known = last < from.input_tokens && from.block_tokens != 0 && last / from.block_tokens < blocks.size();
    if (!known) {
      names.push_back(own_name(index, b));
      continue;
    }
    before = chained_name(before, (std::uint64_t{blocks[last / from.block_tokens]} << 16U) + last % from.block_tokens);
    names.push_back(before);
  }
}

}  // namespace spillway::sim
