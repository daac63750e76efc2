#pragma once

#include "model/template_value.h"

/// Filters and tests by name.
namespace spillway::model::jinja {

bool has_filter(std::string_view name);
bool has_test(std::string_view name);
/// Fails, naming the filter, when there is none of this name or when it cannot do it.
Value call_filter(Heap& heap, std::string_view name, const Value& subject, const Args& args);
bool call_test(Heap& heap, std::string_view name, const Value& subject, const Args& args);

using Filter = Value (*)(Heap& heap, const Value& subject, const Args& args);
struct NamedFilter {
  std::string_view name;
  Filter filter;
};
/// The three tables behind has_filter.
std::vector<NamedFilter> text_filters();
std::vector<NamedFilter> sequence_filters();
std::vector<NamedFilter> order_filters();

/// A whole number among arguments; `usual` where it is not given.
std::int64_t whole_argument(std::string_view what, const Value* value, std::int64_t usual);
/// A key for orders that do not look at case: texts in lower case.
Value without_case(Heap& heap, const Value& value);

/// "a.b.0": goes from item to item. None = the value itself.
class AttributePath {
 public:
  AttributePath(Heap& heap, const Value* attribute, const Value* usual = nullptr);
  Value of(Heap& heap, const Value& value) const;

 private:
  std::vector<Value> parts_;
  Value usual_;
  bool has_usual_ = false;
};

}  // namespace spillway::model::jinja
