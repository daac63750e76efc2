#pragma once

#include "model/template_value.h"

/// Texts with places for values: `%`, str.format, and dates.
namespace spillway::model::jinja {

/// text % value: value is a tuple of several, a dict for %(name)s, or one.
Value percent_format(Heap& heap, const TextPtr& text, const Value& value);
/// text.format(*positional, **named), with fields, attributes, items, conversions and specifications.
Value brace_format(Heap& heap, const TextPtr& text, const Args& args);
/// strftime in the C locale, with the extensions of glibc ("%-d").
std::string time_text(const std::string& format, const LocalTime& time);

}  // namespace spillway::model::jinja
