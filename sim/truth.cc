#include "sim/truth.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <tuple>

#include "sim/text.h"
#include "sim/trace_rows.h"

namespace spillway::sim {

namespace {

constexpr double stamp_max = 4e9;  // seconds: a Unix time of the year 2096

std::optional<std::size_t> trailing_number(const std::string& id) {
  const auto dash = id.rfind('-');
  if (dash == std::string::npos || dash + 1 == id.size()) return std::nullopt;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(id.data() + dash + 1, id.data() + id.size(), number);
  return error == std::errc{} && end == id.data() + id.size() ? std::optional(number) : std::nullopt;
}

struct TruthRow {
  std::uint32_t line = 0;
  std::string id;
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  ServedRequest stamps;  ///< in Unix time
};

core::Result<std::vector<TruthRow>> read_rows(const std::string& path) {
  std::vector<TruthRow> result;
  const auto stamp = [](TraceRows& rows, std::size_t column) {
    return core::Duration(std::llround(rows.real(column, -stamp_max, stamp_max, "s") * 1e9));
  };
  const auto each = [&](TraceRows& rows) {
    TruthRow row;
    row.line = static_cast<std::uint32_t>(rows.line());
    row.input_tokens = static_cast<std::uint32_t>(rows.whole(0, 0, request_tokens_max, "tokens"));
    row.output_tokens = static_cast<std::uint32_t>(rows.whole(1, 0, request_tokens_max, "tokens"));
    row.stamps = {stamp(rows, 2), stamp(rows, 3), stamp(rows, 4)};
    row.id = rows.text(5);
    result.push_back(std::move(row));
  };
  const auto read =
      for_each_row(path, "a run of a real engine",
                   {{"input_toks"}, {"output_toks"}, {"queued_ts"}, {"first_token_ts"}, {"last_token_ts"}, {"request_id", false}}, each);
  if (!read) return tl::make_unexpected(read.error());
  return result;
}

/// For each row the request it tells of.
std::vector<std::size_t> pairing(const std::vector<TruthRow>& rows) {
  std::vector<std::size_t> by_order(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) by_order[i] = i;
  std::vector<std::size_t> by_id;
  std::vector<bool> taken(rows.size(), false);
  for (const auto& row : rows) {
    const auto number = trailing_number(row.id);
    if (!number || *number >= rows.size() || taken[*number]) return by_order;
    taken[*number] = true;
    by_id.push_back(*number);
  }
  return by_id;
}

}  // namespace

core::Result<Truth> read_truth(const std::string& path, const ServedWorkload& workload) {
  const auto rows = read_rows(path);
  if (!rows) return tl::make_unexpected(rows.error());
  const auto& items = workload.items;
  if (rows->size() != items.size())
    return wrong_at(path, rows->back().line,
                    std::to_string(rows->size()) + " requests: want " + std::to_string(items.size()) + " as in " + workload.path);
  const auto request_of = pairing(*rows);
  Truth truth;
  truth.requests.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& row = (*rows)[i];
    const auto& item = items[request_of[i]];
    const std::tuple<const char*, std::uint32_t, std::uint32_t> lengths[] = {{"input_toks", row.input_tokens, item.input_tokens},
                                                                             {"output_toks", row.output_tokens, item.output_tokens}};
    for (const auto& [name, real, wanted] : lengths) {
      if (real != wanted)
        return wrong_at(path, row.line,
                        std::string(name) + " is " + std::to_string(real) + ": want " + std::to_string(wanted) + " as in " + workload.path +
                            ":" + std::to_string(item.line));
    }
    truth.requests[request_of[i]] = row.stamps;
    if (row.stamps.first < row.stamps.queued || row.stamps.last < row.stamps.first)
      truth.doubts.push_back(path + ":" + std::to_string(row.line) +
                             ": a token before what it follows: want queued_ts <= first_token_ts <= last_token_ts");
  }
  const auto start = std::min_element(truth.requests.begin(), truth.requests.end(), [](const auto& a, const auto& b) {
                       return a.queued < b.queued;
                     })->queued;
  for (auto& request : truth.requests) {
    request.queued -= start;
    request.first -= start;
    request.last -= start;
  }
  return truth;
}

}  // namespace spillway::sim
