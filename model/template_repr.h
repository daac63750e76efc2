#pragma once

#include "model/template_value.h"

/// Values as text: Python's str and repr, and JSON.
namespace spillway::model::jinja {

/// repr of a float: shortest digits that read back the same.
std::string real_text(double value);

/// str(value); a text comes back as it is.
TextPtr to_text(Heap& heap, const Value& value);
void write_str(Heap& heap, const Value& value, TextBuilder& out);
void write_repr(Heap& heap, const Value& value, TextBuilder& out);

struct JsonStyle {
  bool ascii = false;     ///< everything else as \uXXXX
  bool sorted = false;    ///< keys in order
  bool indented = false;  ///< one item a line
  std::string indent;     ///< one level of it
  std::string item_end;   ///< ", "
  std::string key_end;    ///< ": "
};
/// json.dumps: fails for what JSON cannot say.
void write_json(Heap& heap, const Value& value, const JsonStyle& style, TextBuilder& out);

}  // namespace spillway::model::jinja
