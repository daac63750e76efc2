#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/template_arithmetic.h"
#include "model/template_value.h"

/// A template as a tree. Immutable once parsed; its height is bounded, so that walking it is too.
namespace spillway::model::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

enum class ExpressionKind : std::uint8_t {
  constant,
  name,
  list,
  tuple,
  dict,
  attribute,
  item,
  slice,
  call,
  filter,
  test,
  negate,
  plus,
  logical_not,
  arithmetic,
  concat,
  compare,
  logical_and,
  logical_or,
  conditional
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  Operator op = Operator::add;  ///< arithmetic
  std::uint32_t line = 0;
  std::uint32_t height = 1;
  std::string name;  ///< of a name, attribute, filter, test
  Value constant;    ///< a text, number, boolean or none: nothing of a heap
  /// list, tuple: items. dict: key, value, key, value. Operators: operands. attribute, item: the whole, then the key.
  /// slice: the whole, start, stop, step (null = left out). call: what is called, then arguments. filter, test: the
  /// subject (null for the text of a block), then arguments. conditional: condition, then, else (null = undefined).
  std::vector<ExpressionPtr> parts;
  std::vector<Operator> operators;  ///< compare: one between each two parts
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more, more_named;  ///< *args, **kwargs
};

struct Statement;
using Body = std::vector<Statement>;

enum class StatementKind : std::uint8_t {
  data,
  output,
  branch,
  loop,
  set,
  set_block,
  macro,
  call_block,
  filter_block,
  with,
  scope,
  block,
  leave,
  again
};

/// Where a value goes: a name, an attribute of a namespace, or several of them.
struct Target {
  std::string name;
  std::string attribute;  ///< of the namespace `name`; empty = the name itself
  std::vector<Target> parts;
  bool tuple = false;
};

struct Parameter {
  std::string name;
  ExpressionPtr usual;  ///< null = none
};

struct Signature {
  std::string name;
  std::vector<Parameter> parameters;
  bool takes_caller = false, takes_more = false, takes_named = false;  ///< its body speaks of caller, varargs, kwargs
};

struct Statement {
  StatementKind kind = StatementKind::data;
  std::uint32_t line = 0;
  std::uint32_t height = 1;
  TextPtr data;
  /// output: what to print. branch: conditions. loop: the iterable, the filter (null = none). set: the value. set_block,
  /// filter_block: the filter or null. call_block: the call. with: the values.
  std::vector<ExpressionPtr> expressions;
  std::vector<Target> targets;           ///< loop, set, set_block: one. with: one a value
  std::vector<Body> bodies;              ///< branch: one a condition, then the last for none of them. loop: body, else
  std::shared_ptr<Signature> signature;  ///< macro, call_block
  bool recursive = false;                ///< loop
  bool speaks_of_loop = false;           ///< loop: whether its body does
  std::string name;                      ///< block
};

/// "{% for %}": how errors name a statement.
std::string construct_of(const Statement& statement);

struct Program {
  Body body;
};

/// Parses a source. Throws Failure (syntax).
std::shared_ptr<const Program> parse(std::string_view source);

}  // namespace spillway::model::jinja
