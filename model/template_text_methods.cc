// The methods of Python's str. Every part of a result keeps the mark of the text that it comes from.

#include <algorithm>
#include <array>
#include <functional>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_format.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

namespace {

constexpr std::array<std::string_view, 42> text_methods = {
    "strip",     "lstrip",     "rstrip",       "split",        "rsplit",     "splitlines", "startswith", "endswith", "replace",
    "upper",     "lower",      "title",        "capitalize",   "find",       "rfind",      "index",      "rindex",   "count",
    "join",      "format",     "isdigit",      "isalpha",      "isalnum",    "isspace",    "isupper",    "islower",  "isnumeric",
    "isdecimal", "istitle",    "isascii",      "center",       "ljust",      "rjust",      "zfill",      "swapcase", "casefold",
    "partition", "rpartition", "removeprefix", "removesuffix", "expandtabs", "format_map"};

const Text& text_argument(const Value& value, std::string_view what) {
  require_defined(value);
  if (value.text() == nullptr) fail(std::string(what) + ": want str, not " + type_name(value));
  return **value.text();
}

std::int64_t whole_argument(const Value* value, std::int64_t usual, std::string_view what) {
  if (value == nullptr || value->is_none()) return usual;
  require_defined(*value);
  std::int64_t whole = 0;
  if (!to_integer(*value, whole)) fail(std::string(what) + ": '" + type_name(*value) + "' object cannot be interpreted as an integer");
  return whole;
}

/// `change` appends what stands for a character. Marks follow the characters.
TextPtr mapped(Heap& heap, const TextPtr& text, const std::function<void(std::string&, char32_t, std::size_t, std::size_t)>& change) {
  TextBuilder out(heap);
  const std::string_view bytes = text->bytes();
  heap.spend(bytes.size() / 16);
  std::string one;
  std::string run;
  bool own = false;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    const bool mark = text->marks().uniform() ? text->marks().first() : text->marks().at(from);
    if (mark != own || run.size() > 4096) {
      out.add(run, own);
      run.clear();
      own = mark;
    }
    change(run, point, from, at);
  }
  out.add(run, own);
  return out.finish(text->markup());
}

bool is_cased(char32_t point) {
  return is_upper(point) || is_lower(point) || (point >= 0x1c5 && point <= 0x1f2 && is_alpha(point) && !is_upper(point));
}

bool is_final_sigma(std::string_view bytes, std::size_t from, std::size_t behind) {
  if (from == 0) return false;
  std::size_t before = before_point(bytes, from);
  if (!is_cased(next_point(bytes, before))) return false;
  return behind >= bytes.size() || !is_cased(next_point(bytes, behind));
}

void lower_point(std::string& to, std::string_view bytes, char32_t point, std::size_t from, std::size_t behind) {
  if (point == 0x3a3 && is_final_sigma(bytes, from, behind)) append_point(to, 0x3c2);
  else append_lower(to, point);
}

}  // namespace

TextPtr upper_text(Heap& heap, const TextPtr& text) {
  return mapped(heap, text, [](std::string& to, char32_t point, std::size_t, std::size_t) { append_upper(to, point); });
}

TextPtr lower_text(Heap& heap, const TextPtr& text) {
  const std::string_view bytes = text->bytes();
  return mapped(heap, text, [&](std::string& to, char32_t point, std::size_t from, std::size_t behind) {
    lower_point(to, bytes, point, from, behind);
  });
}

TextPtr capitalized(Heap& heap, const TextPtr& text) {
  const std::string_view bytes = text->bytes();
  return mapped(heap, text, [&](std::string& to, char32_t point, std::size_t from, std::size_t behind) {
    if (from == 0) append_title(to, point);
    else lower_point(to, bytes, point, from, behind);
  });
}

namespace {

TextPtr titled(Heap& heap, const TextPtr& text) {
  const std::string_view bytes = text->bytes();
  bool inside = false;
  return mapped(heap, text, [&](std::string& to, char32_t point, std::size_t from, std::size_t behind) {
    if (inside) lower_point(to, bytes, point, from, behind);
    else append_title(to, point);
    inside = is_cased(point);
  });
}

TextPtr swapped_case(Heap& heap, const TextPtr& text) {
  const std::string_view bytes = text->bytes();
  return mapped(heap, text, [&](std::string& to, char32_t point, std::size_t from, std::size_t behind) {
    if (is_upper(point)) lower_point(to, bytes, point, from, behind);
    else append_upper(to, point);
  });
}

TextPtr case_folded(Heap& heap, const TextPtr& text) {
  return mapped(heap, text, [](std::string& to, char32_t point, std::size_t, std::size_t) {
    if (point == 0xdf || point == 0x1e9e) to += "ss";
    else append_lower(to, point == 0x3c2 ? 0x3c3 : point);
  });
}

}  // namespace

TextPtr stripped(Heap& heap, const TextPtr& text, const Value* characters, bool left, bool right) {
  const std::string_view bytes = text->bytes();
  const Text* set = nullptr;
  if (characters != nullptr && !characters->is_none()) set = &text_argument(*characters, "strip");
  heap.spend(bytes.size() / 64);
  const auto goes = [&](char32_t point, std::string_view one) {
    return set == nullptr ? is_space(point) : set->bytes().find(one) != std::string_view::npos;
  };
  std::size_t from = 0;
  std::size_t to = bytes.size();
  const std::uint64_t each = set == nullptr ? 0 : set->bytes().size() / 64;
  while (left && from < to) {
    heap.spend(each);
    std::size_t behind = from;
    const char32_t point = next_point(bytes, behind);
    if (!goes(point, bytes.substr(from, behind - from))) break;
    from = behind;
  }
  while (right && to > from) {
    heap.spend(each);
    const std::size_t start = before_point(bytes, to);
    std::size_t behind = start;
    const char32_t point = next_point(bytes, behind);
    if (!goes(point, bytes.substr(start, to - start))) break;
    to = start;
  }
  return slice_text(heap, text, from, to);
}

TextPtr replaced(Heap& heap, const TextPtr& text, const Text& from, const TextPtr& to, std::int64_t count) {
  const std::string_view bytes = text->bytes();
  TextBuilder out(heap);
  heap.spend(bytes.size() / 64);
  const auto put = [&](std::size_t at) {
    // What stands in the place of other text is no more the template's own than that was.
    const bool own = from.bytes().empty() || text->own_all(at, at + from.bytes().size());
    if (own) out.add(*to);
    else out.add(to->bytes(), false);
  };
  std::size_t kept = 0;
  if (from.bytes().empty()) {
    for (std::size_t at = 0; count != 0;) {
      put(0);
      if (count > 0) --count;
      heap.spend(1);
      if (at >= bytes.size()) break;
      next_point(bytes, at);
      out.add(*text, kept, at);
      kept = at;
    }
  } else {
    while (count != 0) {
      const std::size_t found = find_text(bytes, from.bytes(), kept);
      if (found == std::string_view::npos) break;
      if (kept == 0 && found == 0 && from.bytes() == to->bytes() && from.bytes() == bytes) return text;
      out.add(*text, kept, found);
      put(found);
      kept = found + from.bytes().size();
      if (count > 0) --count;
      heap.spend(1);
    }
    if (kept == 0) return text;
  }
  out.add(*text, kept, bytes.size());
  return out.finish(text->markup());
}

TextPtr joined(Heap& heap, const std::vector<TextPtr>& parts, const Text& separator, bool markup) {
  TextBuilder out(heap);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.add(separator);
    out.add(*parts[i]);
  }
  return out.finish(markup);
}

TextPtr centered(Heap& heap, const TextPtr& text, std::int64_t width) {
  const auto length = static_cast<std::int64_t>(text->length());
  if (width <= length) return text;
  const std::int64_t margin = width - length;
  const std::int64_t left = margin / 2 + (margin & width & 1);
  TextBuilder out(heap);
  out.fill(' ', static_cast<std::size_t>(left));
  out.add(*text);
  out.fill(' ', static_cast<std::size_t>(margin - left));
  return out.finish(text->markup());
}

std::vector<Value> split_lines(Heap& heap, const TextPtr& text, bool keep_ends) {
  const std::string_view bytes = text->bytes();
  std::vector<Value> lines;
  std::size_t start = 0;
  heap.spend(bytes.size() / 16);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    const bool ends =
        (point >= 10 && point <= 13) || (point >= 0x1c && point <= 0x1e) || point == 0x85 || point == 0x2028 || point == 0x2029;
    if (!ends) continue;
    if (point == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
    lines.emplace_back(slice_text(heap, text, start, keep_ends ? at : from));
    start = at;
  }
  if (start < bytes.size()) lines.emplace_back(slice_text(heap, text, start, bytes.size()));
  return lines;
}

namespace {

/// What searching from the back costs at most: it compares at every place.
void spend_backwards(Heap& heap, std::string_view whole, std::string_view part) {
  heap.spend(whole.size() / 64 + whole.size() / 32 * (part.size() / 32));
}

std::vector<Value> split_at(Heap& heap, const TextPtr& text, const Text& separator, std::int64_t most, bool from_right) {
  if (separator.bytes().empty()) fail("empty separator");
  const std::string_view bytes = text->bytes();
  std::vector<std::size_t> places;
  for (std::size_t at = 0; (at = find_text(bytes, separator.bytes(), at)) != std::string_view::npos; at += separator.bytes().size()) {
    if (!from_right && most >= 0 && places.size() == static_cast<std::size_t>(most)) break;
    heap.spend(1);
    places.push_back(at);
  }
  if (from_right) {
    // Counted from the back: places may lie otherwise where the separator overlaps itself.
    places.clear();
    spend_backwards(heap, bytes, separator.bytes());
    for (std::size_t end = bytes.size(); most < 0 || places.size() < static_cast<std::size_t>(most);) {
      if (end < separator.bytes().size()) break;
      const std::size_t at = bytes.rfind(separator.bytes(), end - separator.bytes().size());
      if (at == bytes.npos) break;
      heap.spend(1);
      places.push_back(at);
      end = at;
    }
    std::reverse(places.begin(), places.end());
  }
  std::vector<Value> parts;
  std::size_t start = 0;
  for (const std::size_t at : places) {
    parts.emplace_back(slice_text(heap, text, start, at));
    start = at + separator.bytes().size();
  }
  parts.emplace_back(slice_text(heap, text, start, bytes.size()));
  return parts;
}

std::vector<Value> split_at_space(Heap& heap, const TextPtr& text, std::int64_t most) {
  const std::string_view bytes = text->bytes();
  std::vector<Value> parts;
  std::size_t at = 0;
  const auto skip = [&](bool space) {
    while (at < bytes.size()) {
      std::size_t behind = at;
      if (is_space(next_point(bytes, behind)) != space) return;
      at = behind;
    }
  };
  for (skip(true); at < bytes.size(); skip(true)) {
    const std::size_t start = at;
    heap.spend(1);
    if (most >= 0 && parts.size() == static_cast<std::size_t>(most)) {
      parts.emplace_back(stripped(heap, slice_text(heap, text, start, bytes.size()), nullptr, false, true));
      break;
    }
    skip(false);
    parts.emplace_back(slice_text(heap, text, start, at));
  }
  return parts;
}

/// From the back: the rest in front stays one part.
std::vector<Value> split_at_space_from_right(Heap& heap, const TextPtr& text, std::int64_t most) {
  if (most < 0) return split_at_space(heap, text, most);
  const std::string_view bytes = text->bytes();
  std::vector<Value> parts;
  std::size_t end = bytes.size();
  const auto skip = [&](bool space) {
    while (end > 0) {
      const std::size_t start = before_point(bytes, end);
      std::size_t behind = start;
      if (is_space(next_point(bytes, behind)) != space) return;
      end = start;
    }
  };
  for (skip(true); end > 0; skip(true)) {
    heap.spend(1);
    const std::size_t stop = end;
    if (parts.size() == static_cast<std::size_t>(most)) {
      parts.emplace_back(stripped(heap, slice_text(heap, text, 0, stop), nullptr, true, false));
      break;
    }
    skip(false);
    parts.emplace_back(slice_text(heap, text, end, stop));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value split(Heap& heap, const TextPtr& self, const Args& args, bool from_right) {
  const auto given = bind(from_right ? "rsplit" : "split", args, {"sep", "maxsplit"});
  const std::int64_t most = whole_argument(given[1], -1, "split");
  if (given[0] != nullptr && !given[0]->is_none())
    return make_list(heap, split_at(heap, self, text_argument(*given[0], "split"), most, from_right));
  return make_list(heap, from_right ? split_at_space_from_right(heap, self, most) : split_at_space(heap, self, most));
}

Value partition(Heap& heap, const TextPtr& self, const Text& separator, bool from_right) {
  if (separator.bytes().empty()) fail("empty separator");
  const std::string_view bytes = self->bytes();
  if (from_right) spend_backwards(heap, bytes, separator.bytes());
  const std::size_t at = from_right ? bytes.rfind(separator.bytes()) : find_text(bytes, separator.bytes(), 0);
  std::vector<Value> parts;
  if (at == bytes.npos) {
    parts = {self, heap.text(""), heap.text("")};
    if (from_right) std::reverse(parts.begin(), parts.end());
  } else {
    const std::size_t behind = at + separator.bytes().size();
    parts = {slice_text(heap, self, 0, at), slice_text(heap, self, at, behind), slice_text(heap, self, behind, bytes.size())};
  }
  return make_list(heap, std::move(parts), ListKind::tuple);
}

/// The bytes between two positions in characters, as a slice takes them.
std::pair<std::size_t, std::size_t> window(const Text& text, const Value* start, const Value* stop, std::string_view what) {
  const auto length = static_cast<std::int64_t>(text.length());
  std::int64_t from = whole_argument(start, 0, what);
  std::int64_t to = whole_argument(stop, length, what);
  if (from < 0) from = std::max<std::int64_t>(from + length, 0);
  if (to < 0) to = std::max<std::int64_t>(to + length, 0);
  if (from > length) return {text.bytes().size() + 1, text.bytes().size()};
  return {text.offset(static_cast<std::size_t>(from)), text.offset(static_cast<std::size_t>(std::min(to, length)))};
}

bool matches_end(const Text& self, std::string_view name, const Args& args) {
  const auto given = bind(name, args, {"prefix", "start", "end"}, 1);
  const auto [from, to] = window(self, given[1], given[2], name);
  if (from > to) return false;
  const std::string_view part = self.bytes().substr(from, to - from);
  const auto one = [&](const Value& value) {
    const std::string_view end = text_argument(value, name).bytes();
    return name == "startswith" ? part.starts_with(end) : part.ends_with(end);
  };
  const auto* list = given[0]->as<ListObject>();
  if (list != nullptr && !list->is_list()) return std::any_of(list->items.begin(), list->items.end(), one);
  return one(*given[0]);
}

Value find(Heap& heap, const Text& self, std::string_view name, const Args& args) {
  const auto given = bind(name, args, {"sub", "start", "end"}, 1);
  const std::string_view part = text_argument(*given[0], name).bytes();
  const auto [from, to] = window(self, given[1], given[2], name);
  heap.spend(self.bytes().size() / 64);
  std::size_t at = std::string_view::npos;
  if (from <= to) {
    const std::string_view in = self.bytes().substr(0, to);
    if (name == "find" || name == "index") {
      at = find_text(in, part, from);
    } else {
      spend_backwards(heap, in, part);
      at = in.rfind(part);
      if (at != in.npos && at < from) at = in.npos;
    }
  }
  if (at == std::string_view::npos) {
    if (name.ends_with("index")) fail("substring not found");
    return Value(std::int64_t{-1});
  }
  std::size_t index = at;
  if (!self.ascii()) {
    index = 0;
    for (std::size_t i = 0; i < at; ++index) next_point(self.bytes(), i);
  }
  return Value(index);
}

Value count(Heap& heap, const Text& self, const Args& args) {
  const auto given = bind("count", args, {"sub", "start", "end"}, 1);
  const std::string_view part = text_argument(*given[0], "count").bytes();
  const auto [from, to] = window(self, given[1], given[2], "count");
  if (from > to) return Value(std::int64_t{0});
  std::size_t times = 0;
  if (part.empty()) {
    for (std::size_t at = from; at < to; ++times) next_point(self.bytes(), at);
    return Value(times + 1);
  }
  const std::string_view in = self.bytes().substr(0, to);
  for (std::size_t at = from; (at = find_text(in, part, at)) != in.npos; at += part.size()) {
    heap.spend(1);
    ++times;
  }
  return Value(times);
}

Value justify(Heap& heap, const TextPtr& self, std::string_view name, const Args& args) {
  const auto given = bind(name, args, {"width", "fillchar"}, 1);
  const std::int64_t width = whole_argument(given[0], 0, name);
  const std::string_view fill = given[1] != nullptr ? text_argument(*given[1], name).bytes() : " ";
  const auto length = static_cast<std::int64_t>(self->length());
  if (width <= length) return self;
  if (fill.empty()) fail("The fill character must be exactly one character long");
  const std::int64_t margin = width - length;
  const std::int64_t left = name == "ljust" ? 0 : name == "rjust" ? margin : margin / 2 + (margin & width & 1);
  TextBuilder out(heap);
  for (std::int64_t i = 0; i < left; ++i) heap.spend(i % 16 == 0 ? 1 : 0), out.add(fill);
  out.add(*self);
  for (std::int64_t i = left; i < margin; ++i) heap.spend(i % 16 == 0 ? 1 : 0), out.add(fill);
  return out.finish(self->markup());
}

Value zero_filled(Heap& heap, const TextPtr& self, const Args& args) {
  const std::int64_t width = whole_argument(bind("zfill", args, {"width"}, 1)[0], 0, "zfill");
  const auto length = static_cast<std::int64_t>(self->length());
  if (width <= length) return self;
  const bool sign = self->bytes().starts_with('-') || self->bytes().starts_with('+');
  TextBuilder out(heap);
  out.add(*self, 0, sign ? 1 : 0);
  out.fill('0', static_cast<std::size_t>(width - length));
  out.add(*self, sign ? 1 : 0, self->bytes().size());
  return out.finish(self->markup());
}

Value expanded_tabs(Heap& heap, const TextPtr& self, const Args& args) {
  const std::int64_t size = std::min<std::int64_t>(whole_argument(bind("expandtabs", args, {"tabsize"})[0], 8, "expandtabs"), 1 << 20);
  TextBuilder out(heap);
  std::int64_t column = 0;
  const std::string_view bytes = self->bytes();
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    heap.spend(from % 16 == 0 ? 1 : 0);
    if (point != '\t') {
      out.add(*self, from, at);
      column = point == '\n' || point == '\r' ? 0 : column + 1;
    } else if (size > 0) {
      const std::int64_t spaces = size - column % size;
      out.fill(' ', static_cast<std::size_t>(spaces));
      column += spaces;
    }
  }
  return out.finish(self->markup());
}

/// isdigit() and its like: one character at least, and all of the kind.
bool all_of(const Text& self, const std::function<bool(char32_t)>& kind) {
  if (self.bytes().empty()) return false;
  for (std::size_t at = 0; at < self.bytes().size();) {
    if (!kind(next_point(self.bytes(), at))) return false;
  }
  return true;
}

bool has_case(const Text& self, bool upper) {
  bool cased = false;
  for (std::size_t at = 0; at < self.bytes().size();) {
    const char32_t point = next_point(self.bytes(), at);
    if (upper ? is_lower(point) : is_upper(point)) return false;
    cased = cased || is_upper(point) || is_lower(point);
  }
  return cased;
}

bool is_title(const Text& self) {
  bool inside = false, cased = false;
  for (std::size_t at = 0; at < self.bytes().size();) {
    const char32_t point = next_point(self.bytes(), at);
    if (is_upper(point) && inside) return false;
    if (is_lower(point) && !inside) return false;
    inside = is_upper(point) || is_lower(point);
    cased = cased || inside;
  }
  return cased;
}

bool is_kind(const Text& self, std::string_view name) {
  if (name == "isdigit" || name == "isdecimal" || name == "isnumeric") {
    return all_of(self, [&](char32_t p) { return is_digit(p) || (name != "isdecimal" && (p == 0xb2 || p == 0xb3 || p == 0xb9)); });
  }
  if (name == "isalpha") return all_of(self, is_alpha);
  if (name == "isalnum") return all_of(self, [](char32_t p) { return p != '_' && is_word(p); });
  if (name == "isspace") return all_of(self, is_space);
  if (name == "isascii") return self.ascii();
  if (name == "istitle") return is_title(self);
  return has_case(self, name == "isupper");
}

Value join(Heap& heap, const TextPtr& self, const Value& value) {
  std::vector<TextPtr> parts;
  for (const Value& item : to_items(heap, value)) {
    if (item.text() == nullptr) {
      require_defined(item);
      fail("sequence item " + std::to_string(parts.size()) + ": expected str instance, " + type_name(item) + " found");
    }
    parts.push_back(self->markup() ? escaped(heap, item) : *item.text());
  }
  return joined(heap, parts, *self, self->markup());
}

TextPtr without_affix(Heap& heap, const TextPtr& self, std::string_view name, std::string_view affix) {
  const std::string_view bytes = self->bytes();
  if (name == "removeprefix") return bytes.starts_with(affix) ? slice_text(heap, self, affix.size(), bytes.size()) : self;
  return bytes.ends_with(affix) ? slice_text(heap, self, 0, bytes.size() - affix.size()) : self;
}

Value format_map(Heap& heap, const TextPtr& self, const Args& args) {
  const auto* dict = bind("format_map", args, {"mapping"}, 1)[0]->as<DictObject>();
  if (dict == nullptr) fail("format_map: want a mapping");
  Args named;
  for (const auto& [key, value] : dict->entries) {
    if (key.text() != nullptr) named.named.emplace_back((*key.text())->bytes(), value);
  }
  return brace_format(heap, self, named);
}

Value replace(Heap& heap, const TextPtr& self, const Args& args) {
  const auto given = bind("replace", args, {"old", "new", "count"}, 2);
  text_argument(*given[1], "replace");
  const TextPtr to = self->markup() ? escaped(heap, *given[1]) : *given[1]->text();
  return replaced(heap, self, text_argument(*given[0], "replace"), to, whole_argument(given[2], -1, "replace"));
}

}  // namespace

bool has_text_method(std::string_view name) {
  return std::find(text_methods.begin(), text_methods.end(), name) != text_methods.end();
}

Value call_text_method(Heap& heap, const TextPtr& self, std::string_view name, const Args& args) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    return stripped(heap, self, bind(name, args, {"chars"})[0], name != "rstrip", name != "lstrip");
  }
  if (name == "split" || name == "rsplit") return split(heap, self, args, name == "rsplit");
  if (name == "startswith" || name == "endswith") return Value(matches_end(*self, name, args));
  if (name == "replace") return replace(heap, self, args);
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex") return find(heap, *self, name, args);
  if (name == "count") return count(heap, *self, args);
  if (name == "join") return join(heap, self, *bind(name, args, {"iterable"}, 1)[0]);
  if (name == "format") return brace_format(heap, self, args);
  if (name == "format_map") return format_map(heap, self, args);
  if (name == "splitlines") {
    const auto given = bind(name, args, {"keepends"});
    return make_list(heap, split_lines(heap, self, given[0] != nullptr && truth(*given[0])));
  }
  if (name == "center" || name == "ljust" || name == "rjust") return justify(heap, self, name, args);
  if (name == "zfill") return zero_filled(heap, self, args);
  if (name == "expandtabs") return expanded_tabs(heap, self, args);
  if (name == "partition" || name == "rpartition")
    return partition(heap, self, text_argument(*bind(name, args, {"sep"}, 1)[0], name), name == "rpartition");
  if (name == "removeprefix" || name == "removesuffix")
    return without_affix(heap, self, name, text_argument(*bind(name, args, {"affix"}, 1)[0], name).bytes());
  bind(name, args, {});
  if (name == "upper") return upper_text(heap, self);
  if (name == "lower") return lower_text(heap, self);
  if (name == "title") return titled(heap, self);
  if (name == "capitalize") return capitalized(heap, self);
  if (name == "swapcase") return swapped_case(heap, self);
  if (name == "casefold") return case_folded(heap, self);
  heap.spend(self->bytes().size() / 16);
  return Value(is_kind(*self, name));
}

}  // namespace spillway::model::jinja
