#include "sim/served_workload.h"

#include "core/step.h"
#include "sim/json_lines.h"
#include "sim/text.h"

namespace spillway::sim {

core::Result<ServedWorkload> read_served_workload(const std::string& path) {
  auto lines = read_json_lines(path, {.numbers = {"input_length", "output_length"}, .texts = {}, .lists = {"hash_ids"}});
  if (!lines) return tl::make_unexpected(lines.error());
  if (lines->rows.size() > requests_max)
    return wrong_at(path, lines->rows[requests_max].line, "more requests than " + std::to_string(requests_max) + ": want a part of them");
  ServedWorkload workload{path, {}};
  workload.items.reserve(lines->rows.size());
  for (auto& row : lines->rows) {
    const auto input = lines->whole(row, 0, 1, request_tokens_max);
    if (!input) return tl::make_unexpected(input.error());
    const auto output = lines->whole(row, 1, 1, request_tokens_max);
    if (!output) return tl::make_unexpected(output.error());
    auto& ids = row.lists[0];
    const auto blocks = static_cast<std::size_t>(*input) / core::block_tokens;
    if (ids.size() > blocks)
      return wrong_at(path, row.line,
                      std::to_string(ids.size()) + " hash_ids for " + std::to_string(*input) +
                          " tokens: want at most one for each of the " + std::to_string(blocks) + " full blocks of " +
                          std::to_string(core::block_tokens));
    workload.items.push_back({.line = row.line,
                              .input_tokens = static_cast<std::uint32_t>(*input),
                              .output_tokens = static_cast<std::uint32_t>(*output),
                              .hash_ids = std::move(ids)});
  }
  return workload;
}

}  // namespace spillway::sim
