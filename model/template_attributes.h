#pragma once

#include "model/template_value.h"

/// `value.name`, `value[key]`, slices and the methods of Python's types.
namespace spillway::model::jinja {

/// As jinja2: a method or attribute first, then an item of that name, else undefined. Fails for an undefined value.
Value get_attribute(Heap& heap, const Value& value, std::string_view name);
/// An item first, then an attribute of that name, else undefined.
Value get_item(Heap& heap, const Value& value, const Value& key);
/// The attribute alone: false if there is none.
bool own_attribute(Heap& heap, const Value& value, std::string_view name, Value& out);
/// value[start:stop:step]; undefined parts are left out.
Value get_slice(Heap& heap, const Value& value, const Value& start, const Value& stop, const Value& step);
/// Position of an index counted from the front or from the back; false when outside.
bool position(std::int64_t index, std::size_t size, std::size_t& out);

bool has_method(const Value& self, std::string_view name);
/// Calls a method that `has_method`.
Value call_method(Heap& heap, const Value& self, std::string_view name, const Args& args);
bool has_text_method(std::string_view name);
Value call_text_method(Heap& heap, const TextPtr& self, std::string_view name, const Args& args);

// Parts of text methods that filters share.
TextPtr stripped(Heap& heap, const TextPtr& text, const Value* characters, bool left, bool right);
TextPtr upper_text(Heap& heap, const TextPtr& text);
TextPtr lower_text(Heap& heap, const TextPtr& text);
TextPtr capitalized(Heap& heap, const TextPtr& text);
TextPtr centered(Heap& heap, const TextPtr& text, std::int64_t width);
/// Replaces at most `count` (negative: all). What replaces other text counts as own only where both are.
TextPtr replaced(Heap& heap, const TextPtr& text, const Text& from, const TextPtr& to, std::int64_t count);
TextPtr joined(Heap& heap, const std::vector<TextPtr>& parts, const Text& separator, bool markup);
std::vector<Value> split_lines(Heap& heap, const TextPtr& text, bool keep_ends);

}  // namespace spillway::model::jinja
