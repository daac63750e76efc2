#include "sim/trace_rows.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "cluster-config/suggest.h"
#include "cluster-config/tree.h"
#include "sim/trace_numbers.h"

namespace spillway::sim {
namespace {

constexpr std::size_t shown_bytes_max = 60;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The name of a column without a unit behind it: "Timestamp(s)" is Timestamp.
std::string_view without_unit(std::string_view name) {
  const auto open = name.find('(');
  return open == name.npos || open == 0 || !name.ends_with(')') ? name : trimmed(name.substr(0, open));
}

std::string in_words(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string shown(const TraceCell& cell) {
  switch (cell.kind) {
    case TraceCell::Kind::absent: return "(empty)";
    case TraceCell::Kind::bare: return config::clean(cell.text, shown_bytes_max);
    case TraceCell::Kind::quoted: return '"' + config::clean(cell.text, shown_bytes_max) + '"';
    case TraceCell::Kind::list: return "a list of " + std::to_string(cell.items.size());
    case TraceCell::Kind::other: return "a list or object";
  }
  return {};
}

/// "want a whole number from 1 to 10 (tokens)".
std::string range_wish(const char* kind, const std::string& min, const std::string& max, std::string_view unit) {
  return std::string{"want "} + kind + " from " + min + " to " + max + (unit.empty() ? "" : " (" + std::string{unit} + ")");
}

}  // namespace

bool split_csv(std::string_view line, std::vector<std::string>& fields) {
  fields.clear();
  for (std::size_t at = 0;; ++at) {  // behind a comma, or at the start
    std::string& field = fields.emplace_back();
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) return false;
        if (line[at] == '"' && (at + 1 >= line.size() || line[at + 1] != '"')) break;
        if (line[at] == '"') ++at;
        field += line[at];
      }
      ++at;
      if (at < line.size() && line[at] != ',') return false;
    } else {
      const auto end = std::min(line.find(',', at), line.size());
      field = line.substr(at, end - at);
      at = end;
    }
    if (at >= line.size()) return true;
  }
}

TraceRows::TraceRows(std::istream& in, std::string file, std::string what, std::vector<TraceColumn> columns)
    : in_{in}, file_{std::move(file)}, what_{std::move(what)}, columns_{std::move(columns)}, cells_(columns_.size()) {
  std::string line;
  if (!read_line(line)) {
    if (!failed_) fail("is empty: want " + what_);
    return;
  }
  if (trimmed(line).front() != '{') {
    read_header(line);
    return;
  }
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.name);
  json_ = std::make_unique<JsonRowParser>(std::move(names));
  first_line_ = std::move(line);
  pending_ = true;
}

TraceRows::~TraceRows() = default;

void TraceRows::fail(const std::string& what) {
  if (failed_) return;
  failed_ = true;
  error_ = {core::Errc::bad_file, file_ + (line_ > 0 ? ":" + std::to_string(line_) : "") + ": " + what};
}

void TraceRows::wrong(std::size_t column, const std::string& want) {
  fail(columns_[column].name + " = " + shown(cells_[column]) + ": " + want);
}

void TraceRows::wrong_row(const std::string& what) {
  fail(what);
}

bool TraceRows::read_line(std::string& line) {
  while (std::getline(in_, line)) {
    ++line_;
    if (line_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    if (line.size() > line_bytes_max) {
      fail("holds " + std::to_string(line.size()) + " bytes: want at most " + std::to_string(line_bytes_max) + " in a line");
      return false;
    }
    if (!trimmed(line).empty()) return true;
  }
  if (in_.bad()) fail("cannot be read on: want a file that stays");
  return false;
}

void TraceRows::read_header(const std::string& line) {
  std::vector<std::string> fields;
  if (!split_csv(line, fields)) {
    fail("a quote is not closed: want the header of " + what_);
    return;
  }
  std::vector<std::string_view> present;
  for (const auto& field : fields) {
    const auto name = without_unit(trimmed(field));
    const auto found = std::find_if(columns_.begin(), columns_.end(), [&](const TraceColumn& column) { return column.name == name; });
    const auto index = static_cast<std::size_t>(found - columns_.begin());
    if (found != columns_.end() && std::find(column_at_.begin(), column_at_.end(), index) != column_at_.end())
      fail("column " + std::string{name} + " stands twice: want it once");
    column_at_.push_back(index);
    present.push_back(name);
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].required || std::find(column_at_.begin(), column_at_.end(), i) != column_at_.end()) continue;
    std::string what = "no column " + columns_[i].name + ": want the header of " + what_ + "; the file has ";
    for (std::size_t n = 0; n < present.size(); ++n) what += (n == 0 ? "" : ", ") + config::clean(present[n], shown_bytes_max);
    if (const auto near = config::nearest(columns_[i].name, present); !near.empty()) what += "; is it `" + std::string{near} + "`?";
    fail(config::clean(what, 600));
  }
}

bool TraceRows::next() {
  if (failed_) return false;
  std::string line;
  if (pending_) {
    pending_ = false;
    line = std::move(first_line_);
  } else if (!read_line(line)) {
    return false;
  }
  if (json_ == nullptr) {
    read_csv(line);
  } else if (const auto what = json_->parse(line, cells_); !what.empty()) {
    fail("the line " + config::clean(what, 200) + ": want one object, a row of " + what_);
  }
  check_required();
  return !failed_;
}

void TraceRows::read_csv(const std::string& line) {
  std::vector<std::string> fields;
  if (!split_csv(line, fields)) {
    fail("a quote is not closed, or text follows it: want a row of " + what_);
    return;
  }
  if (fields.size() != column_at_.size()) {
    fail(std::to_string(fields.size()) + " columns: want " + std::to_string(column_at_.size()) + ", as in the header");
    return;
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (column_at_[i] == columns_.size()) continue;
    TraceCell& cell = cells_[column_at_[i]];
    cell.text = trimmed(fields[i]);
    cell.kind = cell.text.empty() ? TraceCell::Kind::absent : TraceCell::Kind::bare;
    cell.items.clear();
  }
}

void TraceRows::check_required() {
  for (std::size_t i = 0; i < columns_.size() && !failed_; ++i) {
    if (columns_[i].required && !has(i)) fail(columns_[i].name + " is missing: want it in each row of " + what_);
  }
}

std::string TraceRows::text(std::size_t column) {
  const auto kind = cells_[column].kind;
  if (failed_ || kind == TraceCell::Kind::absent) return {};
  std::string value{trimmed(cells_[column].text)};
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) >= 32 && c != 127; });
  if (printable && (kind == TraceCell::Kind::bare || kind == TraceCell::Kind::quoted)) return value;
  wrong(column, "want a text without control characters, or a number");
  return {};
}

std::uint64_t TraceRows::whole(std::size_t column, std::uint64_t min, std::uint64_t max, std::string_view unit) {
  if (failed_ || !has(column)) return min;
  const auto value = cells_[column].kind == TraceCell::Kind::bare ? parse_whole(cells_[column].text) : std::nullopt;
  if (value && *value >= min && *value <= max) return *value;
  wrong(column, range_wish("a whole number", std::to_string(min), std::to_string(max), unit));
  return min;
}

std::int64_t TraceRows::id(std::size_t column) {
  if (failed_ || !has(column)) return 0;
  const auto value = cells_[column].kind == TraceCell::Kind::bare ? parse_decimal(cells_[column].text, 0) : std::nullopt;
  if (value && cells_[column].text == std::to_string(*value)) return *value;
  wrong(column, "want a whole number");
  return 0;
}

std::int64_t TraceRows::decimal(std::size_t column, int shift, std::int64_t max, std::string_view unit) {
  if (failed_ || !has(column)) return 0;
  const auto value = cells_[column].kind == TraceCell::Kind::bare ? parse_decimal(cells_[column].text, shift) : std::nullopt;
  if (value && *value >= 0 && *value <= max) return *value;
  std::int64_t most = max;
  for (int i = 0; i < shift; ++i) most /= 10;
  wrong(column, range_wish("a number", "0", std::to_string(most), unit));
  return 0;
}

double TraceRows::real(std::size_t column, double min, double max, std::string_view unit) {
  if (failed_ || !has(column)) return min;
  const auto value = cells_[column].kind == TraceCell::Kind::bare ? parse_real(cells_[column].text) : std::nullopt;
  if (value && *value >= min && *value <= max) return *value;
  wrong(column, range_wish("a number", in_words(min), in_words(max), unit));
  return min;
}

std::span<const std::uint64_t> TraceRows::list(std::size_t column) {
  TraceCell& cell = cells_[column];
  if (failed_ || cell.kind == TraceCell::Kind::absent) return {};
  if (json_ != nullptr) {
    if (cell.kind != TraceCell::Kind::list) wrong(column, "want a list of whole numbers");
    return failed_ ? std::span<const std::uint64_t>{} : std::span<const std::uint64_t>{cell.items};
  }
  cell.items.clear();
  std::string_view rest = cell.text;
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  constexpr std::string_view separators = " ,";
  const auto skip = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(separators), rest.size())); };
  for (skip(); !rest.empty(); skip()) {
    const auto end = std::min(rest.find_first_of(separators), rest.size());
    const auto item = parse_whole(rest.substr(0, end));
    if (!item) {
      wrong(column, "want whole numbers with spaces between");
      return {};
    }
    cell.items.push_back(*item);
    rest.remove_prefix(end);
  }
  return cell.items;
}

core::Result<std::uint64_t> for_each_row(const std::string& path, const std::string& what, std::vector<TraceColumn> columns,
                                         const std::function<void(TraceRows&)>& each) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return core::fail(core::Errc::io, path + ": cannot be opened: want " + what);
  TraceRows rows(in, path, what, std::move(columns));
  std::uint64_t count = 0;
  while (rows.next()) {
    each(rows);
    ++count;
  }
  if (count == 0) rows.wrong_row("no row: want at least one of " + what);
  if (rows.failed()) return tl::make_unexpected(rows.error());
  return count;
}

}  // namespace spillway::sim
