#include "sim/csv.h"

#include <algorithm>

#include "sim/text.h"

namespace spillway::sim {

namespace {

constexpr std::size_t no_column = ~std::size_t{0};

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const auto comma = line.find(',');
    cells.push_back(trimmed(line.substr(0, comma)));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "" : ",") + std::string(name);
  return text;
}

/// Where each column asked for stands in the header.
core::Result<std::vector<std::size_t>> places_of(const std::string& path, const std::vector<std::string_view>& header,
                                                 const std::vector<std::string_view>& required,
                                                 const std::vector<std::string_view>& optional) {
  std::vector<std::size_t> places;
  for (const auto* names : {&required, &optional}) {
    for (const auto name : *names) {
      const auto found = std::count(header.begin(), header.end(), name);
      if (found > 1) return wrong_at(path, 1, "the column " + std::string(name) + " stands there twice: want it once");
      if (found == 0 && names == &required)
        return wrong_at(path, 1, "no column " + std::string(name) + " in \"" + joined(header) + "\": want " + joined(required));
      const auto at = static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
      places.push_back(found == 0 ? no_column : at);
    }
  }
  return places;
}

}  // namespace

core::Result<CsvTable> read_csv(const std::string& path, const std::vector<std::string_view>& required,
                                const std::vector<std::string_view>& optional) {
  const auto file = read_text(path);
  if (!file) return tl::make_unexpected(file.error());
  CsvTable table;
  table.path = path;
  for (const auto* names : {&required, &optional}) {
    for (const auto name : *names) table.columns.emplace_back(name);
  }
  std::vector<std::size_t> places;
  std::size_t width = 0;
  std::string_view rest = file->text;
  for (std::uint32_t line = 1; !rest.empty(); ++line) {
    const auto end = rest.find('\n');
    const auto text = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (text.empty() && line > 1) continue;
    if (text.find('"') != std::string_view::npos) return wrong_at(path, line, "a quoted cell: want cells without quotes");
    const auto cells = split(text);
    if (line == 1) {
      auto found = places_of(path, cells, required, optional);
      if (!found) return tl::make_unexpected(found.error());
      places = std::move(*found);
      width = cells.size();
      continue;
    }
    if (cells.size() != width)
      return wrong_at(path, line, std::to_string(cells.size()) + " cells: want " + std::to_string(width) + " as in the header");
    auto& row = table.rows.emplace_back();
    row.line = line;
    for (const auto place : places) row.cells.emplace_back(place == no_column ? std::string_view{} : cells[place]);
  }
  if (width == 0) return wrong_at(path, 1, "the file is empty: want a header \"" + joined(required) + "\" and rows");
  if (table.rows.empty()) return wrong_at(path, 2, "no rows behind the header: want at least one");
  return table;
}

core::Result<double> CsvTable::number(const Row& row, std::size_t column, double low, double high) const {
  const auto value = parse_number(row.cells[column]);
  if (value && *value >= low && *value <= high) return *value;
  return wrong_at(path, row.line,
                  columns[column] + " is \"" + row.cells[column] + "\": want a number from " +
                      std::to_string(static_cast<std::int64_t>(low)) + " to " + std::to_string(static_cast<std::int64_t>(high)));
}

core::Result<std::int64_t> CsvTable::whole(const Row& row, std::size_t column, std::int64_t low, std::int64_t high) const {
  const auto value = parse_number(row.cells[column]);
  if (value && *value >= static_cast<double>(low) && *value <= static_cast<double>(high)) {
    const auto whole = static_cast<std::int64_t>(*value);
    if (static_cast<double>(whole) == *value) return whole;
  }
  return wrong_at(path, row.line,
                  columns[column] + " is \"" + row.cells[column] + "\": want a whole number from " + std::to_string(low) + " to " +
                      std::to_string(high));
}

}  // namespace spillway::sim
