#include "sim/trace_json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>

#include "sim/trace_numbers.h"

namespace spillway::sim {
namespace {

namespace json = boost::json;
using Code = boost::system::error_code;
using Text = json::string_view;

/// Events of the parser, turned into cells. Numbers keep their text, so that no digit of a time is lost in a double.
struct RowHandler {
  static constexpr std::size_t max_object_size = 10'000;
  static constexpr std::size_t max_array_size = 10'000'000;
  static constexpr std::size_t max_key_size = 10'000;
  static constexpr std::size_t max_string_size = 10'000'000;

  std::vector<std::string> names;
  std::vector<TraceCell>* cells = nullptr;
  TraceCell* cell = nullptr;  ///< of the key that was read last; null = nobody asked
  int depth = 0;              ///< of objects and lists round the next value; 1 = the row itself
  bool is_object = false;
  std::string twice;  ///< a key that stands twice
  std::string part;   ///< of a key, string or number

  void start(std::vector<TraceCell>& out) {
    out.resize(names.size());
    for (auto& each : out) each.kind = TraceCell::Kind::absent, each.text.clear(), each.items.clear();
    cells = &out;
    cell = nullptr;
    depth = 0;
    is_object = false;
    twice.clear();
    part.clear();
  }

  bool enter(TraceCell::Kind kind) {
    if (depth == 1 && cell != nullptr) cell->kind = kind;
    if (depth > 1 && cell != nullptr) cell->kind = TraceCell::Kind::other;
    ++depth;
    return true;
  }
  bool leave() {
    --depth;
    return true;
  }
  bool value(TraceCell::Kind kind, Text rest) {
    part.append(rest.data(), rest.size());
    if (cell != nullptr && depth == 1) {
      cell->kind = kind;
      cell->text = part;
    } else if (cell != nullptr && depth == 2 && cell->kind == TraceCell::Kind::list) {
      const auto item = kind == TraceCell::Kind::bare ? parse_whole(part) : std::nullopt;
      if (item) cell->items.push_back(*item);
      else cell->kind = TraceCell::Kind::other;
    }
    part.clear();
    return true;
  }
  bool keep(Text piece) {
    part.append(piece.data(), piece.size());
    return true;
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    is_object = is_object || depth == 0;
    return enter(TraceCell::Kind::other);
  }
  bool on_object_end(std::size_t, Code&) { return leave(); }
  bool on_array_begin(Code&) { return enter(TraceCell::Kind::list); }
  bool on_array_end(std::size_t, Code&) { return leave(); }
  bool on_key_part(Text piece, std::size_t, Code&) { return keep(piece); }
  bool on_key(Text rest, std::size_t, Code&) {
    part.append(rest.data(), rest.size());
    if (depth == 1) {
      const auto found = std::find(names.begin(), names.end(), part);
      cell = found == names.end() ? nullptr : &(*cells)[static_cast<std::size_t>(found - names.begin())];
      if (cell != nullptr && cell->kind != TraceCell::Kind::absent) twice = part;
    }
    part.clear();
    return true;
  }
  bool on_string_part(Text piece, std::size_t, Code&) { return keep(piece); }
  bool on_string(Text rest, std::size_t, Code&) { return value(TraceCell::Kind::quoted, rest); }
  bool on_number_part(Text piece, Code&) { return keep(piece); }
  bool on_int64(std::int64_t, Text rest, Code&) { return value(TraceCell::Kind::bare, rest); }
  bool on_uint64(std::uint64_t, Text rest, Code&) { return value(TraceCell::Kind::bare, rest); }
  bool on_double(double, Text rest, Code&) { return value(TraceCell::Kind::bare, rest); }
  bool on_bool(bool yes, Code&) { return value(TraceCell::Kind::bare, yes ? "true" : "false"); }
  bool on_null(Code&) { return depth == 1 || value(TraceCell::Kind::other, ""); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

}  // namespace

struct JsonRowParser::State {
  json::basic_parser<RowHandler> parser{json::parse_options{}};
};

JsonRowParser::JsonRowParser(std::vector<std::string> names) : state_{std::make_unique<State>()} {
  state_->parser.handler().names = std::move(names);
}

JsonRowParser::~JsonRowParser() = default;

std::string JsonRowParser::parse(std::string_view line, std::vector<TraceCell>& cells) {
  auto& parser = state_->parser;
  parser.reset();
  parser.handler().start(cells);
  Code error;
  const std::size_t read = parser.write_some(false, line.data(), line.size(), error);
  if (!error && read < line.size()) return "is not one JSON object: something stands behind it";
  if (error) return "is not JSON (" + error.message() + " at byte " + std::to_string(read + 1) + ")";
  if (!parser.handler().is_object) return "is not a JSON object";
  if (!parser.handler().twice.empty()) return "holds the key " + parser.handler().twice + " twice";
  return {};
}

}  // namespace spillway::sim
