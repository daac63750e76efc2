#include "sim/truth.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "sim/json_lines.h"
#include "sim/text.h"

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

/// For each row the request it tells of.
std::vector<std::size_t> pairing(const JsonLines& lines) {
  const std::size_t count = lines.rows.size();
  std::vector<std::size_t> by_order(count);
  for (std::size_t i = 0; i < count; ++i) by_order[i] = i;
  std::vector<std::size_t> by_id;
  std::vector<bool> taken(count, false);
  for (const auto& row : lines.rows) {
    const auto number = trailing_number(row.texts[0]);
    if (!number || *number >= count || taken[*number]) return by_order;
    taken[*number] = true;
    by_id.push_back(*number);
  }
  return by_id;
}

core::Result<core::Duration> stamp_of(const JsonLines& lines, const JsonLines::Row& row, std::size_t field) {
  const double seconds = row.numbers[field];
  if (!(seconds >= -stamp_max && seconds <= stamp_max))
    return wrong_at(lines.path, row.line, std::string(lines.fields.numbers[field]) + " is out of range: want seconds");
  return core::Duration(std::llround(seconds * 1e9));
}

core::Result<bool> same_length(const JsonLines& lines, const JsonLines::Row& row, std::size_t field, std::uint32_t wanted,
                               const ServedWorkload& workload, const ServedItem& item) {
  const auto tokens = lines.whole(row, field, 0, request_tokens_max);
  if (!tokens) return tl::make_unexpected(tokens.error());
  if (*tokens == wanted) return true;
  return wrong_at(lines.path, row.line,
                  std::string(lines.fields.numbers[field]) + " is " + std::to_string(*tokens) + ": want " + std::to_string(wanted) +
                      " as in " + workload.path + ":" + std::to_string(item.line));
}

}  // namespace

core::Result<Truth> read_truth(const std::string& path, const ServedWorkload& workload) {
  const auto lines = read_json_lines(
      path,
      {.numbers = {"input_toks", "output_toks", "queued_ts", "first_token_ts", "last_token_ts"}, .texts = {"request_id"}, .lists = {}});
  if (!lines) return tl::make_unexpected(lines.error());
  const auto& items = workload.items;
  if (lines->rows.size() != items.size())
    return wrong_at(path, lines->rows.back().line,
                    std::to_string(lines->rows.size()) + " requests: want " + std::to_string(items.size()) + " as in " + workload.path);
  const auto request_of = pairing(*lines);
  Truth truth;
  truth.requests.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& row = lines->rows[i];
    const auto& item = items[request_of[i]];
    if (auto same = same_length(*lines, row, 0, item.input_tokens, workload, item); !same) return tl::make_unexpected(same.error());
    if (auto same = same_length(*lines, row, 1, item.output_tokens, workload, item); !same) return tl::make_unexpected(same.error());
    core::Duration stamps[3];
    for (std::size_t k = 0; k < 3; ++k) {
      const auto stamp = stamp_of(*lines, row, 2 + k);
      if (!stamp) return tl::make_unexpected(stamp.error());
      stamps[k] = *stamp;
    }
    truth.requests[request_of[i]] = {stamps[0], stamps[1], stamps[2]};
    if (stamps[1] < stamps[0] || stamps[2] < stamps[1])
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
