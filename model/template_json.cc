// JSON as variables of a template: numbers keep what they say, objects their order.

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <cstdlib>

#include "model/template.h"

namespace spillway::model::jinja {

namespace {

namespace json = boost::json;

constexpr std::size_t depth_max = 200;

/// Called by the parser; puts the values together.
struct Handler {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  using Code = boost::system::error_code;

  Datum result;
  std::vector<Datum> open;        // lists and objects that are not closed
  std::vector<std::string> keys;  // one for each open object's value that is to come
  std::string part;
  std::string wrong;

  bool put(Datum datum, Code& code) {
    if (open.empty()) {
      result = std::move(datum);
    } else if (auto* list = std::get_if<Datum::List>(&open.back().value)) {
      list->push_back(std::move(datum));
    } else {
      auto& object = std::get<Datum::Object>(open.back().value);
      const auto there = std::find_if(object.begin(), object.end(), [&](const auto& e) { return e.name == keys.back(); });
      if (there != object.end()) there->value = std::move(datum);
      else object.push_back({std::move(keys.back()), std::move(datum)});
      keys.pop_back();
    }
    (void)code;
    return true;
  }
  bool close(Code& code) {
    Datum done = std::move(open.back());
    open.pop_back();
    return put(std::move(done), code);
  }
  std::string whole(json::string_view last) {
    std::string all = std::move(part);
    part.clear();
    all.append(last.data(), last.size());
    return all;
  }
  bool number(json::string_view last, Code& code) {
    const std::string text = whole(last);
    if (text.find_first_of(".eE") == text.npos) {
      wrong = "the number " + text.substr(0, 40) + " is outside the 64 bits of a whole number";
      code = json::error::not_number;
      return false;
    }
    return put({std::strtod(text.c_str(), nullptr)}, code);
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) { return open.push_back({Datum::List{}}), true; }
  bool on_array_end(std::size_t, Code& code) { return close(code); }
  bool on_object_begin(Code&) { return open.push_back({Datum::Object{}}), true; }
  bool on_object_end(std::size_t, Code& code) { return close(code); }
  bool on_string_part(json::string_view text, std::size_t, Code&) { return part.append(text.data(), text.size()), true; }
  bool on_string(json::string_view text, std::size_t, Code& code) { return put({whole(text)}, code); }
  bool on_key_part(json::string_view text, std::size_t, Code&) { return part.append(text.data(), text.size()), true; }
  bool on_key(json::string_view text, std::size_t, Code&) { return keys.push_back(whole(text)), true; }
  bool on_number_part(json::string_view text, Code&) { return part.append(text.data(), text.size()), true; }
  bool on_int64(std::int64_t value, json::string_view, Code& code) { return part.clear(), put({value}, code); }
  bool on_uint64(std::uint64_t, json::string_view text, Code& code) { return number(text, code); }
  bool on_double(double, json::string_view text, Code& code) { return number(text, code); }
  bool on_bool(bool value, Code& code) { return put({value}, code); }
  bool on_null(Code& code) { return put({}, code); }
  bool on_comment_part(json::string_view, Code&) { return true; }
  bool on_comment(json::string_view, Code&) { return true; }
};

}  // namespace

core::Result<Datum> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<Handler> parser(options);
  boost::system::error_code code;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), code);
  if (!code && read < text.size() && text.find_first_not_of(" \t\r\n", read) != text.npos) code = json::error::extra_data;
  if (!code && !parser.done()) code = json::error::incomplete;
  if (code) {
    const std::string& wrong = parser.handler().wrong;
    return core::fail(core::Errc::bad_file, "no JSON: " + (wrong.empty() ? code.message() : wrong) + " at byte " + std::to_string(read));
  }
  return std::move(parser.handler().result);
}

}  // namespace spillway::model::jinja
