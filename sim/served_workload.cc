#include "sim/served_workload.h"

#include "core/step.h"
#include "sim/trace_rows.h"

namespace spillway::sim {

core::Result<ServedWorkload> read_served_workload(const std::string& path) {
  ServedWorkload workload{path, {}};
  const auto each = [&](TraceRows& rows) {
    const auto input = rows.whole(0, 1, request_tokens_max, "tokens");
    const auto output = rows.whole(1, 1, request_tokens_max, "tokens");
    const auto ids = rows.list(2);
    const auto blocks = input / core::block_tokens;
    if (ids.size() > blocks)
      return rows.wrong_row(std::to_string(ids.size()) + " hash_ids for " + std::to_string(input) +
                            " tokens: want at most one for each of the " + std::to_string(blocks) + " full blocks of " +
                            std::to_string(core::block_tokens));
    if (workload.items.size() == requests_max)
      return rows.wrong_row("more requests than " + std::to_string(requests_max) + ": want a part of them");
    workload.items.push_back({.line = static_cast<std::uint32_t>(rows.line()),
                              .input_tokens = static_cast<std::uint32_t>(input),
                              .output_tokens = static_cast<std::uint32_t>(output),
                              .hash_ids = {ids.begin(), ids.end()}});
  };
  const auto read = for_each_row(path, "a workload of a measured run", {{"input_length"}, {"output_length"}, {"hash_ids", false}}, each);
  if (!read) return tl::make_unexpected(read.error());
  return workload;
}

}  // namespace spillway::sim
