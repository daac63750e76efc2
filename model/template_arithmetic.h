#pragma once

#include "model/template_value.h"

namespace spillway::model::jinja {

enum class Operator : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in
};
std::string_view symbol(Operator op);

/// `a op b` for the operators of arithmetic, as Python has it; whole numbers beyond 64 bits fail.
Value arithmetic(Heap& heap, Operator op, const Value& a, const Value& b);
bool comparison(Heap& heap, Operator op, const Value& a, const Value& b);
Value negated(const Value& value);
/// +value.
Value positive(const Value& value);
/// The text of `value`, escaped unless it is markup already.
TextPtr escaped(Heap& heap, const Value& value);

}  // namespace spillway::model::jinja
