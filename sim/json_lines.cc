#include "sim/json_lines.h"

#include <boost/json.hpp>

#include "sim/text.h"

namespace spillway::sim {

namespace {

namespace json = boost::json;

core::Result<double> number_of(const json::object& object, std::string_view key, const std::string& path, std::uint32_t line) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return wrong_at(path, line, "no key " + std::string(key) + ": want a number");
  if (!value->is_number())
    return wrong_at(path, line, std::string(key) + " is " + json::serialize(*value).substr(0, 40) + ": want a number");
  return value->to_number<double>();
}

core::Result<std::string> text_of(const json::object& object, std::string_view key, const std::string& path, std::uint32_t line) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return std::string{};
  if (!value->is_string()) return wrong_at(path, line, std::string(key) + " is " + json::serialize(*value).substr(0, 40) + ": want a text");
  return std::string(value->get_string());
}

core::Result<std::vector<std::uint64_t>> list_of(const json::object& object, std::string_view key, const std::string& path,
                                                 std::uint32_t line) {
  std::vector<std::uint64_t> list;
  const auto* value = object.if_contains(key);
  if (value == nullptr) return list;
  if (!value->is_array()) return wrong_at(path, line, std::string(key) + ": want a list of whole numbers");
  list.reserve(value->get_array().size());
  for (const auto& item : value->get_array()) {
    boost::system::error_code error;
    const auto whole = item.is_double() ? 0 : item.to_number<std::uint64_t>(error);
    if (error || item.is_double() || !item.is_number())
      return wrong_at(path, line, std::string(key) + " holds " + json::serialize(item).substr(0, 40) + ": want whole numbers from 0");
    list.push_back(whole);
  }
  return list;
}

core::Result<JsonLines::Row> row_of(std::string_view text, const std::string& path, std::uint32_t line, const JsonFields& fields) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error) return wrong_at(path, line, "no JSON (" + error.message() + "): want one object a line");
  if (!value.is_object()) return wrong_at(path, line, "JSON, but no object: want one object a line");
  const auto& object = value.get_object();
  JsonLines::Row row;
  row.line = line;
  for (const auto key : fields.numbers) {
    const auto number = number_of(object, key, path, line);
    if (!number) return tl::make_unexpected(number.error());
    row.numbers.push_back(*number);
  }
  for (const auto key : fields.texts) {
    auto found = text_of(object, key, path, line);
    if (!found) return tl::make_unexpected(found.error());
    row.texts.push_back(std::move(*found));
  }
  for (const auto key : fields.lists) {
    auto list = list_of(object, key, path, line);
    if (!list) return tl::make_unexpected(list.error());
    row.lists.push_back(std::move(*list));
  }
  return row;
}

}  // namespace

core::Result<std::int64_t> JsonLines::whole(const Row& row, std::size_t field, std::int64_t low, std::int64_t high) const {
  const double value = row.numbers[field];
  if (value >= static_cast<double>(low) && value <= static_cast<double>(high)) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) return whole;
  }
  return wrong_at(path, row.line,
                  std::string(fields.numbers[field]) + " is " + json::serialize(json::value(value)) + ": want a whole number from " +
                      std::to_string(low) + " to " + std::to_string(high));
}

core::Result<JsonLines> read_json_lines(const std::string& path, const JsonFields& fields) {
  const auto file = read_text(path);
  if (!file) return tl::make_unexpected(file.error());
  JsonLines lines{path, fields, {}};
  std::string_view rest = file->text;
  for (std::uint32_t line = 1; !rest.empty(); ++line) {
    const auto end = rest.find('\n');
    const auto text = trimmed(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (text.empty()) continue;
    auto row = row_of(text, path, line, fields);
    if (!row) return tl::make_unexpected(row.error());
    lines.rows.push_back(std::move(*row));
  }
  if (lines.rows.empty()) return wrong_at(path, 1, "no line: want one JSON object a line");
  return lines;
}

}  // namespace spillway::sim
