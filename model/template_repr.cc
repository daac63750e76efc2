#include "model/template_repr.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace spillway::model::jinja {

std::string real_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view all(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = all.find('e');
  const int exponent = std::stoi(std::string(all.substr(e + 1)));
  std::string digits;
  for (const char c : all.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = std::signbit(value) ? "-" : "";
  const int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    std::string power = std::to_string(std::abs(exponent));
    if (power.size() < 2) power.insert(0, 1, '0');
    return sign + digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "") + (exponent < 0 ? "e-" : "e+") + power;
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (exponent >= count - 1) return sign + digits + std::string(static_cast<std::size_t>(exponent - count + 1), '0') + ".0";
  return sign + digits.substr(0, static_cast<std::size_t>(exponent) + 1) + "." + digits.substr(static_cast<std::size_t>(exponent) + 1);
}

namespace {

constexpr char hex[] = "0123456789abcdef";

std::string escaped_point(char32_t point) {
  const int digits = point < 0x100 ? 2 : point < 0x10000 ? 4 : 8;
  std::string out = digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
  for (int i = digits - 1; i >= 0; --i) out += hex[(point >> (4 * i)) & 15U];
  return out;
}

void repr_text(const Text& text, TextBuilder& out) {
  const std::string_view bytes = text.bytes();
  const bool doubled = bytes.find('\'') != bytes.npos && bytes.find('"') == bytes.npos;
  const char quote = doubled ? '"' : '\'';
  if (text.markup()) out.add("Markup(");
  out.add({&quote, 1});
  std::size_t kept = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    std::string instead;
    if (point == static_cast<char32_t>(quote) || point == '\\') instead = std::string("\\") + static_cast<char>(point);
    else if (point == '\n') instead = "\\n";
    else if (point == '\r') instead = "\\r";
    else if (point == '\t') instead = "\\t";
    else if (!is_printable(point)) instead = escaped_point(point);
    else continue;
    out.add(text, kept, from);
    out.add_for(text, from, instead);
    kept = at;
  }
  out.add(text, kept, bytes.size());
  out.add({&quote, 1});
  if (text.markup()) out.add(")");
}

void repr_items(Heap& heap, const std::vector<Value>& items, TextBuilder& out) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.add(", ");
    write_repr(heap, items[i], out);
  }
}

void repr_dict(Heap& heap, const DictObject& dict, TextBuilder& out) {
  out.add("{");
  for (std::size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out.add(", ");
    write_repr(heap, dict.entries[i].first, out);
    out.add(": ");
    write_repr(heap, dict.entries[i].second, out);
  }
  out.add("}");
}

void repr_list(Heap& heap, const ListObject& list, TextBuilder& out) {
  out.add(list.is_list() ? "[" : "(");
  repr_items(heap, list.items, out);
  out.add(list.is_list() ? "]" : list.items.size() == 1 ? ",)" : ")");
}

void repr_object(Heap& heap, const Value& value, TextBuilder& out) {
  const Deeper deeper(heap);
  if (const auto* list = value.as<ListObject>()) return repr_list(heap, *list, out);
  if (const auto* dict = value.as<DictObject>()) return repr_dict(heap, *dict, out);
  if (value.as<ViewObject>() != nullptr) {
    out.add(type_name(value) + "([");
    repr_items(heap, to_items(heap, value), out);
    return out.add("])");
  }
  if (const auto* range = value.as<RangeObject>()) {
    out.add("range(" + std::to_string(range->start) + ", " + std::to_string(range->stop));
    if (range->step != 1) out.add(", " + std::to_string(range->step));
    return out.add(")");
  }
  if (const auto* names = value.as<NamesObject>()) {
    out.add("<Namespace ");
    repr_dict(heap, *names->dict, out);
    return out.add(">");
  }
  out.add("<" + type_name(value) + ">");
}

}  // namespace

void write_repr(Heap& heap, const Value& value, TextBuilder& out) {
  heap.spend(1);
  if (const auto* text = value.text()) return repr_text(**text, out);
  if (value.is_undefined()) return out.add("Undefined");
  write_str(heap, value, out);
}

void write_str(Heap& heap, const Value& value, TextBuilder& out) {
  if (const auto* text = value.text()) return out.add(**text);
  if (value.is_undefined()) return;
  if (value.is_none()) return out.add("None");
  if (const auto* b = value.boolean()) return out.add(*b ? "True" : "False");
  if (const auto* i = value.integer()) return out.add(std::to_string(*i));
  if (const auto* d = value.real()) return out.add(real_text(*d));
  repr_object(heap, value, out);
}

TextPtr to_text(Heap& heap, const Value& value) {
  if (const auto* text = value.text()) return *text;
  TextBuilder out(heap);
  write_str(heap, value, out);
  return out.finish();
}

namespace {

std::string json_escape(char32_t point) {
  switch (point) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\f': return "\\f";
    case '\b': return "\\b";
    default: break;
  }
  const auto unit = [](char32_t u) {
    std::string out = "\\u";
    for (int i = 3; i >= 0; --i) out += hex[(u >> (4 * i)) & 15U];
    return out;
  };
  if (point < 0x10000) return unit(point);
  return unit(0xd800 + ((point - 0x10000) >> 10)) + unit(0xdc00 + ((point - 0x10000) & 0x3ffU));
}

void json_text(const Text& text, bool ascii, TextBuilder& out) {
  const std::string_view bytes = text.bytes();
  out.add("\"");
  std::size_t kept = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    if (point >= 0x20 && point != '"' && point != '\\' && (!ascii || point < 0x7f)) continue;
    if (ascii && point == 0x7f) continue;
    out.add(text, kept, from);
    out.add_for(text, from, json_escape(point));
    kept = at;
  }
  out.add(text, kept, bytes.size());
  out.add("\"");
}

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonStyle& style, TextBuilder& out) : heap_(heap), style_(style), out_(out) {}

  void write(const Value& value) {
    heap_.spend(1);
    if (const auto* text = value.text()) return json_text(**text, style_.ascii, out_);
    if (value.is_none()) return out_.add("null");
    if (const auto* b = value.boolean()) return out_.add(*b ? "true" : "false");
    if (const auto* i = value.integer()) return out_.add(std::to_string(*i));
    if (const auto* d = value.real()) return out_.add(number(*d));
    const Deeper deeper(heap_);
    if (const auto* list = value.as<ListObject>()) return write_list(*list);
    if (const auto* dict = value.as<DictObject>()) return write_dict(*dict);
    fail("tojson: Object of type " + type_name(value) + " is not JSON serializable");
  }

 private:
  static std::string number(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return real_text(d);
  }
  void new_line() {
    if (!style_.indented) return;
    out_.add("\n");
    for (std::size_t i = 0; i < level_; ++i) out_.add(style_.indent);
  }
  void write_list(const ListObject& list) {
    if (list.items.empty()) return out_.add("[]");
    out_.add("[");
    ++level_;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.add(style_.item_end);
      new_line();
      write(list.items[i]);
    }
    --level_;
    new_line();
    out_.add("]");
  }
  void write_key(const Value& key) {
    if (const auto* text = key.text()) return json_text(**text, style_.ascii, out_);
    std::string name;
    if (key.is_none()) name = "null";
    else if (const auto* b = key.boolean()) name = *b ? "true" : "false";
    else if (const auto* i = key.integer()) name = std::to_string(*i);
    else if (const auto* d = key.real()) name = number(*d);
    else fail("tojson: keys must be str, int, float, bool or None, not " + type_name(key));
    out_.add("\"" + name + "\"");
  }
  void write_dict(const DictObject& dict) {
    if (dict.entries.empty()) return out_.add("{}");
    std::vector<std::size_t> order(dict.entries.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (style_.sorted) {
      merge_sort(order, [&](std::size_t a, std::size_t b) {
        heap_.spend(1);
        return less(heap_, dict.entries[a].first, dict.entries[b].first);
      });
    }
    out_.add("{");
    ++level_;
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_.add(style_.item_end);
      new_line();
      write_key(dict.entries[order[i]].first);
      out_.add(style_.key_end);
      write(dict.entries[order[i]].second);
    }
    --level_;
    new_line();
    out_.add("}");
  }

  Heap& heap_;
  const JsonStyle& style_;
  TextBuilder& out_;
  std::size_t level_ = 0;
};

}  // namespace

void write_json(Heap& heap, const Value& value, const JsonStyle& style, TextBuilder& out) {
  JsonWriter(heap, style, out).write(value);
}

}  // namespace spillway::model::jinja
