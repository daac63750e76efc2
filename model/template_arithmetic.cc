#include "model/template_arithmetic.h"

#include <array>
#include <cmath>

#include "model/template_format.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

std::string_view symbol(Operator op) {
  constexpr std::array<std::string_view, 15> symbols = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return symbols[static_cast<std::size_t>(op)];
}

namespace {

[[noreturn]] void fail_types(Operator op, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  const std::string name = op == Operator::power ? "** or pow()" : std::string(symbol(op));
  fail("unsupported operand type(s) for " + name + ": '" + type_name(a) + "' and '" + type_name(b) + "'");
}

[[noreturn]] void fail_overflow(Operator op) {
  fail("the result of '" + std::string(symbol(op)) + "' is outside the 64 bits of a whole number");
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  if (b == -1) {
    if (a == INT64_MIN) fail_overflow(Operator::floor_divide);
    return -a;
  }
  const std::int64_t q = a / b;
  return a % b != 0 && ((a % b < 0) != (b < 0)) ? q - 1 : q;
}

std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t r = a % b;
  return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}

double modulo(double a, double b) {
  double r = std::fmod(a, b);
  if (r != 0.0 && (r < 0) != (b < 0)) r += b;
  return r == 0.0 ? std::copysign(0.0, b) : r;
}

/// As CPython: from the modulo, so that the two agree.
double floor_divided(double a, double b) {
  double mod = std::fmod(a, b);
  double quotient = (a - mod) / b;
  if (mod != 0.0 && (b < 0) != (mod < 0)) quotient -= 1.0;
  if (quotient == 0.0) return std::copysign(0.0, a / b);
  const double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1.0 : floored;
}

Value whole_power(Heap& heap, std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  for (; exponent > 0; --exponent) {
    heap.spend(1);
    if (base == 0 || base == 1) return Value(base);
    if (base == -1) return Value(exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1});
    if (__builtin_mul_overflow(result, base, &result)) fail_overflow(Operator::power);
  }
  return Value(result);
}

Value whole_arithmetic(Heap& heap, Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool over = false;
  switch (op) {
    case Operator::add: over = __builtin_add_overflow(a, b, &result); break;
    case Operator::subtract: over = __builtin_sub_overflow(a, b, &result); break;
    case Operator::multiply: over = __builtin_mul_overflow(a, b, &result); break;
    case Operator::divide:
      if (b == 0) fail("division by zero");
      return Value(static_cast<double>(static_cast<long double>(a) / static_cast<long double>(b)));  // one rounding up to 2^53
    case Operator::floor_divide:
      if (b == 0) fail("integer division or modulo by zero");
      return Value(floor_divided(a, b));
    case Operator::modulo:
      if (b == 0) fail("integer division or modulo by zero");
      return Value(modulo(a, b));
    default:
      if (b >= 0) return whole_power(heap, a, b);
      if (a == 0) fail("0.0 cannot be raised to a negative power");
      return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (over) fail_overflow(op);
  return Value(result);
}

Value real_arithmetic(Operator op, double a, double b) {
  switch (op) {
    case Operator::add: return Value(a + b);
    case Operator::subtract: return Value(a - b);
    case Operator::multiply: return Value(a * b);
    case Operator::divide:
      if (b == 0.0) fail("float division by zero");
      return Value(a / b);
    case Operator::floor_divide:
      if (b == 0.0) fail("float floor division by zero");
      return Value(floor_divided(a, b));
    case Operator::modulo:
      if (b == 0.0) fail("float modulo");
      return Value(modulo(a, b));
    default: break;
  }
  if (a == 0.0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(b) && b != std::floor(b)) fail("a negative number to a broken power is complex");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("(34, 'Numerical result out of range')");
  return Value(result);
}

Value repeated(Heap& heap, const Value& what, std::int64_t times) {
  const std::size_t count = times < 0 ? 0 : static_cast<std::size_t>(times);
  if (const auto* text = what.text()) {
    TextBuilder out(heap);
    const std::size_t size = (*text)->bytes().size();
    if (size != 0 && count > (std::size_t{1} << 40) / size) fail_limit("a text of " + std::to_string(count) + " repetitions");
    heap.check(size * count);
    for (std::size_t i = 0; i < (size == 0 ? 0 : count); ++i) out.add(**text);
    heap.spend(size == 0 ? 0 : count / 8);
    return out.finish((*text)->markup());
  }
  const auto* list = what.as<ListObject>();
  const std::size_t size = list->items.size();
  if (size != 0 && count > (std::size_t{1} << 40) / (size * sizeof(Value)))
    fail_limit("a list of " + std::to_string(count) + " repetitions");
  heap.check(size * count * sizeof(Value));
  heap.spend(size * count / 8);
  std::vector<Value> items;
  items.reserve(size * count);
  for (std::size_t i = 0; i < (size == 0 ? 0 : count); ++i) items.insert(items.end(), list->items.begin(), list->items.end());
  return make_list(heap, std::move(items), list->is_list() ? ListKind::list : ListKind::tuple);
}

Value added_texts(Heap& heap, const TextPtr& a, const TextPtr& b) {
  TextBuilder out(heap);
  const bool markup = a->markup() || b->markup();
  out.add(markup ? *escaped(heap, a) : *a);
  out.add(markup ? *escaped(heap, b) : *b);
  return out.finish(markup);
}

bool is_repeatable(const Value& v) {
  return v.text() != nullptr || v.as<ListObject>() != nullptr;
}

}  // namespace

TextPtr escaped(Heap& heap, const Value& value) {
  TextPtr text = to_text(heap, value);
  if (text->markup()) return text;
  TextBuilder out(heap);
  const std::string_view bytes = text->bytes();
  std::size_t kept = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string_view instead;
    switch (bytes[at]) {
      case '&': instead = "&amp;"; break;
      case '<': instead = "&lt;"; break;
      case '>': instead = "&gt;"; break;
      case '"': instead = "&#34;"; break;
      case '\'': instead = "&#39;"; break;
      default: continue;
    }
    out.add(*text, kept, at);
    out.add_for(*text, at, instead);
    kept = at + 1;
  }
  out.add(*text, kept, bytes.size());
  return out.finish(true);
}

Value arithmetic(Heap& heap, Operator op, const Value& a, const Value& b) {
  if (op == Operator::modulo && a.text() != nullptr) return percent_format(heap, *a.text(), b);
  std::int64_t i = 0, j = 0;
  const bool a_whole = to_integer(a, i), b_whole = to_integer(b, j);
  if (a_whole && b_whole) return whole_arithmetic(heap, op, i, j);
  double x = 0, y = 0;
  if (to_real(a, x) && to_real(b, y)) return real_arithmetic(op, x, y);
  if (op == Operator::add) {
    if (a.text() != nullptr && b.text() != nullptr) return added_texts(heap, *a.text(), *b.text());
    const auto* p = a.as<ListObject>();
    const auto* q = b.as<ListObject>();
    if (p != nullptr && q != nullptr && p->is_list() == q->is_list()) {
      heap.spend((p->items.size() + q->items.size()) / 8);
      heap.check((p->items.size() + q->items.size()) * sizeof(Value));
      std::vector<Value> items = p->items;
      items.insert(items.end(), q->items.begin(), q->items.end());
      return make_list(heap, std::move(items), p->is_list() ? ListKind::list : ListKind::tuple);
    }
    if (a.text() != nullptr && !b.is_undefined()) fail("can only concatenate str (not \"" + type_name(b) + "\") to str");
  }
  if (op == Operator::multiply && b_whole && is_repeatable(a)) return repeated(heap, a, j);
  if (op == Operator::multiply && a_whole && is_repeatable(b)) return repeated(heap, b, i);
  fail_types(op, a, b);
}

bool comparison(Heap& heap, Operator op, const Value& a, const Value& b) {
  switch (op) {
    case Operator::equal: return equals(heap, a, b);
    case Operator::not_equal: return !equals(heap, a, b);
    case Operator::in: return contains(heap, b, a);
    case Operator::not_in: return !contains(heap, b, a);
    default: return less(heap, a, b, symbol(op));
  }
}

Value negated(const Value& value) {
  std::int64_t whole = 0;
  if (to_integer(value, whole)) {
    if (whole == INT64_MIN) fail_overflow(Operator::subtract);
    return Value(-whole);
  }
  if (const auto* d = value.real()) return Value(-*d);
  require_defined(value);
  fail("bad operand type for unary -: '" + type_name(value) + "'");
}

Value positive(const Value& value) {
  std::int64_t whole = 0;
  if (to_integer(value, whole)) return Value(whole);
  if (value.real() != nullptr) return value;
  require_defined(value);
  fail("bad operand type for unary +: '" + type_name(value) + "'");
}

}  // namespace spillway::model::jinja
