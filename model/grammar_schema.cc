#include "model/grammar_schema.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "model/grammar_json.h"
#include "model/grammar_regex.h"

namespace spillway::model {

namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 64;
constexpr std::uint32_t count_max = 100000;
constexpr std::size_t prefix_items_max = 100;
constexpr std::size_t key_bytes_max = 256;

constexpr std::string_view silent[] = {"title",    "description", "default",     "examples",   "$schema",  "$id",
                                       "$comment", "$defs",       "definitions", "deprecated", "readOnly", "writeOnly"};
constexpr std::string_view whole[] = {"enum", "const", "anyOf", "oneOf", "$ref"};  // each says all that there is
constexpr std::string_view typed[] = {"type",      "properties",  "required",         "additionalProperties",
                                      "items",     "prefixItems", "minItems",         "maxItems",
                                      "minLength", "maxLength",   "pattern",          "format",
                                      "minimum",   "maximum",     "exclusiveMinimum", "exclusiveMaximum"};

template <class List>
bool among(std::string_view key, const List& list) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

/// Reads a schema; keeps the first error, and what comes after it means nothing.
class SchemaReader {
 public:
  explicit SchemaReader(const json::value& schema) : schema_{schema} {}

  core::Result<GrammarRules> read() {
    const auto root = rule_at("#", schema_);
    while (!queue_.empty() && !error_) {
      const auto next = queue_.front();
      queue_.pop_front();
      rules_.set(next.rule, expr(*next.schema, next.place, 0));
    }
    if (error_) return core::fail(core::Errc::bad_argument, "json_schema: " + *error_);
    return rules_.take(root);
  }

 private:
  using Expr = GrammarExpr;
  struct Waiting {
    const json::value* schema;
    std::string place;
    std::uint32_t rule;
  };

  Expr fail(const std::string& place, const std::string& what) {
    if (!error_) error_ = place + ": " + what;
    return {};
  }

  /// The rule of the schema at a place, read later when it is new.
  std::uint32_t rule_at(const std::string& place, const json::value& schema) {
    const auto found = by_place_.find(place);
    if (found != by_place_.end()) return found->second;
    const auto rule = rules_.add(place);
    by_place_.emplace(place, rule);
    queue_.push_back({&schema, place, rule});
    return rule;
  }

  Expr expr(const json::value& schema, const std::string& place, std::size_t depth) {
    if (error_) return {};
    if (depth > depth_max) return fail(place, "schemas nested deeper than " + std::to_string(depth_max));
    if (schema.is_bool()) return schema.get_bool() ? rules_.any() : fail(place, "false accepts nothing, so nothing can be written here");
    if (!schema.is_object())
      return fail(place, "came " + json::serialize(schema).substr(0, 40) + ", want a schema: an object or a boolean");
    const auto& object = schema.get_object();
    std::string_view says_all;
    bool says_type = false;
    for (const auto& member : object) {
      const std::string_view key = member.key();
      if (among(key, silent)) continue;
      if (among(key, whole)) {
        if (!says_all.empty()) return fail(place + "/" + std::string(key), "it cannot stand beside " + std::string(says_all));
        says_all = key;
      } else if (among(key, typed)) {
        says_type = says_type || key != "type";
      } else {
        return fail(place + "/" + std::string(key), "this keyword is not offered");
      }
    }
    if (says_all.empty()) return by_type(object, place);
    if (says_type || (object.contains("type") && says_all != "enum" && says_all != "const"))
      return fail(place + "/" + std::string(says_all), "it cannot stand beside keywords of a type");
    return by_whole(object, says_all, place + "/" + std::string(says_all), depth);
  }

  Expr by_whole(const json::object& object, std::string_view key, const std::string& place, std::size_t depth) {
    const auto& value = object.at(key);
    if (key == "const") return literal(value);
    if (key == "$ref") return reference(value, place);
    if (!value.is_array() || value.get_array().empty()) return fail(place, "want a list with at least one element");
    std::vector<Expr> ways;
    std::size_t at = 0;
    for (const auto& element : value.get_array())
      ways.push_back(key == "enum" ? literal(element) : expr(element, place + "/" + std::to_string(at++), depth + 1));
    return Expr::choice(std::move(ways));
  }

  static Expr literal(const json::value& value) { return Expr::of_text(json::serialize(value)); }

  Expr reference(const json::value& value, const std::string& place) {
    if (!value.is_string() || !std::string_view(value.get_string()).starts_with("#"))
      return fail(place, "came " + json::serialize(value).substr(0, 80) + ", want a place in this schema, for example \"#/$defs/name\"");
    const std::string pointer(value.get_string());
    boost::system::error_code error;
    const json::value* target = schema_.find_pointer(pointer.substr(1), error);
    if (error || target == nullptr) return fail(place, "there is nothing at " + pointer);
    return Expr::of_rule(rule_at(pointer, *target));
  }

  Expr by_type(const json::object& object, const std::string& place) {
    std::vector<std::string> types;
    if (const auto* type = object.if_contains("type")) {
      if (type->is_string()) types.emplace_back(type->get_string());
      if (type->is_array())
        for (const auto& one : type->get_array())
          if (one.is_string()) types.emplace_back(one.get_string());
      if (types.empty() || (type->is_array() && types.size() != type->get_array().size()))
        return fail(place + "/type", "want the name of a type or a list of names");
    } else if (auto implied = implied_type(object)) {
      types.push_back(*implied);
    } else {
      return rules_.any();
    }
    std::vector<Expr> ways;
    ways.reserve(types.size());
    for (const auto& type : types) ways.push_back(of_type(type, object, place));
    return ways.size() == 1 ? std::move(ways.front()) : Expr::choice(std::move(ways));
  }

  static std::optional<std::string> implied_type(const json::object& object) {
    const auto any_of = [&](std::initializer_list<std::string_view> keys) {
      return std::any_of(keys.begin(), keys.end(), [&](std::string_view key) { return object.contains(key); });
    };
    if (any_of({"properties", "required", "additionalProperties"})) return "object";
    if (any_of({"items", "prefixItems", "minItems", "maxItems"})) return "array";
    if (any_of({"minLength", "maxLength", "pattern", "format"})) return "string";
    if (any_of({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})) return "integer";
    return std::nullopt;
  }

  Expr of_type(const std::string& type, const json::object& object, const std::string& place) {
    if (type == "null") return Expr::of_text("null");
    if (type == "boolean") return Expr::choice({Expr::of_text("true"), Expr::of_text("false")});
    if (type == "string") return string(object, place);
    if (type == "integer") return integer(object, place);
    if (type == "array") return array(object, place);
    if (type == "object") return members(object, place);
    if (type != "number") return fail(place + "/type", "\"" + type + "\" is no type of JSON");
    for (const char* key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
      if (object.contains(key)) return fail(place + "/" + key, "bounds are offered for integers alone");
    return rules_.number();
  }

  /// A keyword that is a number of things, or `other`.
  std::uint32_t count(const json::object& object, const char* key, const std::string& place, std::uint32_t other) {
    const auto* value = object.if_contains(key);
    if (value == nullptr) return other;
    boost::system::error_code error;
    const auto number = value->to_number<std::int64_t>(error);
    if (error || number < 0 || number > count_max)
      fail(place + "/" + key,
           "came " + json::serialize(*value).substr(0, 40) + ", want a whole number from 0 to " + std::to_string(count_max));
    return static_cast<std::uint32_t>(number);
  }

  Expr string(const json::object& object, const std::string& place) {
    const std::uint32_t min = count(object, "minLength", place, 0);
    const std::uint32_t max = count(object, "maxLength", place, no_max);
    if (max < min) return fail(place + "/maxLength", "it is less than minLength");
    const auto* pattern = object.if_contains("pattern");
    const auto* format = object.if_contains("format");
    const char* special = pattern != nullptr ? "pattern" : "format";
    if (pattern == nullptr && format == nullptr) {
      if (min == 0 && max == no_max) return rules_.string();
      return quoted(Expr::repeat(rules_.character(), min, max));
    }
    if (min != 0 || max != no_max || (pattern != nullptr && format != nullptr))
      return fail(place + "/" + special, "it cannot stand beside another bound of the string");
    const auto& value = pattern != nullptr ? *pattern : *format;
    if (!value.is_string()) return fail(place + "/" + special, "want a string");
    const std::string text(value.get_string());
    const auto known = pattern != nullptr ? std::optional(text) : format_pattern(text);
    if (!known) return fail(place + "/format", "\"" + text + "\" is not offered; known: date, time, date-time, uuid");
    auto content = json_string_pattern(*known);
    if (!content) return fail(place + "/" + special, content.error().message);
    return quoted(std::move(*content));
  }

  static Expr quoted(Expr content) { return Expr::sequence({Expr::of_text("\""), std::move(content), Expr::of_text("\"")}); }

  static std::optional<std::string> format_pattern(std::string_view format) {
    const std::string date = "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    const std::string time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    if (format == "date") return "^" + date + "$";
    if (format == "time") return "^" + time + "$";
    if (format == "date-time") return "^" + date + "T" + time + "$";
    if (format == "uuid") return "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    return std::nullopt;
  }

  /// The bound that a keyword gives, as the integer beside it inside the bounds.
  std::optional<std::int64_t> bound(const json::object& object, const char* key, bool lower, bool exclusive, const std::string& place) {
    const auto* value = object.if_contains(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) {
      fail(place + "/" + key, "want a number");
      return std::nullopt;
    }
    const auto most = static_cast<double>(integer_most);
    std::int64_t whole_part = 0;
    bool exact = true;
    if (value->is_int64()) {
      whole_part = std::clamp(value->get_int64(), -integer_most, integer_most);
    } else {
      const double number = value->to_number<double>();
      const double inside = std::clamp(lower ? std::ceil(number) : std::floor(number), -most, most);
      exact = inside == number;
      whole_part = std::clamp(static_cast<std::int64_t>(inside), -integer_most, integer_most);
    }
    return exclusive && exact ? whole_part + (lower ? 1 : -1) : whole_part;
  }

  Expr integer(const json::object& object, const std::string& place) {
    const auto at_least = bound(object, "minimum", true, false, place);
    const auto over = bound(object, "exclusiveMinimum", true, true, place);
    const auto at_most = bound(object, "maximum", false, false, place);
    const auto under = bound(object, "exclusiveMaximum", false, true, place);
    if (error_) return {};
    if (!at_least && !over && !at_most && !under) return rules_.integer();
    const std::int64_t first = std::max(at_least.value_or(-integer_most), over.value_or(-integer_most));
    const std::int64_t last = std::min(at_most.value_or(integer_most), under.value_or(integer_most));
    if (first > last || first > integer_most || last < -integer_most)
      return fail(place, "no integer of at most 18 digits lies within the bounds");
    return integer_range(first, last);
  }

  /// A schema as a call, so that it may stand in many places.
  Expr call(const json::value& schema, const std::string& place) { return Expr::of_rule(rule_at(place, schema)); }

  Expr array(const json::object& object, const std::string& place) {
    std::vector<Expr> prefix;
    if (const auto* list = object.if_contains("prefixItems")) {
      if (!list->is_array() || list->get_array().size() > prefix_items_max)
        return fail(place + "/prefixItems", "want a list of at most " + std::to_string(prefix_items_max) + " schemas");
      for (const auto& schema : list->get_array()) prefix.push_back(call(schema, place + "/prefixItems/" + std::to_string(prefix.size())));
    }
    const std::uint32_t min = count(object, "minItems", place, 0);
    std::uint32_t max = count(object, "maxItems", place, no_max);
    const auto* items = object.if_contains("items");
    const auto fixed = static_cast<std::uint32_t>(prefix.size());
    const bool closed = items != nullptr && items->is_bool() && !items->get_bool();
    if (closed) max = std::min(max, fixed);
    if (max < min) return fail(place, "an array of at least " + std::to_string(min) + " and at most " + std::to_string(max) + " items");
    const Expr other = closed ? Expr{} : items == nullptr ? rules_.any() : call(*items, place + "/items");
    return rules_.bracketed('[', list_of(prefix, other, min, max), ']');
  }

  /// min to max items with commas between: those of `first` in their places, `other` behind them.
  Expr list_of(const std::vector<Expr>& first, const Expr& other, std::uint32_t min, std::uint32_t max) {
    const auto fixed = std::min(static_cast<std::uint32_t>(first.size()), max);
    Expr rest;  // what stands behind the item before
    if (max > fixed) {
      const auto behind = [&](std::uint32_t before) { return max == no_max ? no_max : max - before; };
      auto more = Expr::sequence({rules_.comma(), other});
      if (fixed > 0) {
        rest = Expr::repeat(std::move(more), min > fixed ? min - fixed : 0, behind(fixed));
      } else {
        rest = Expr::sequence({other, Expr::repeat(std::move(more), min > 1 ? min - 1 : 0, behind(1))});
        if (min == 0) rest = Expr::repeat(std::move(rest), 0, 1);
      }
    }
    for (std::uint32_t i = fixed; i-- > 0;) {
      std::vector<Expr> parts;
      if (i > 0) parts.push_back(rules_.comma());
      parts.push_back(first[i]);
      parts.push_back(std::move(rest));
      rest = Expr::sequence(std::move(parts));
      if (i >= min) rest = Expr::repeat(std::move(rest), 0, 1);
    }
    return rest;
  }

  struct Property {
    std::string name;
    Expr member;
    bool required = false;
  };

  Expr members(const json::object& object, const std::string& place) {
    const auto* additional = object.if_contains("additionalProperties");
    const auto* listed = object.if_contains("properties");
    if (listed != nullptr && !listed->is_object()) return fail(place + "/properties", "want an object of schemas");
    std::vector<Property> properties;
    std::vector<std::string> names;
    if (listed != nullptr) {
      for (const auto& member : listed->get_object()) {
        names.emplace_back(member.key());
        if (names.back().size() > key_bytes_max) return fail(place + "/properties", "a key of more than 256 bytes");
        properties.push_back({names.back(), rules_.member(literal(json::value(member.key())),
                                                          call(member.value(), place + "/properties/" + pointer_token(names.back())))});
      }
    }
    const bool closed = additional == nullptr ? listed != nullptr : additional->is_bool() && !additional->get_bool();
    const Expr value = additional == nullptr || additional->is_bool() ? rules_.any() : call(*additional, place + "/additionalProperties");
    if (const auto* required = object.if_contains("required")) {
      if (!required->is_array()) return fail(place + "/required", "want a list of keys");
      for (const auto& key : required->get_array()) {
        if (!key.is_string()) return fail(place + "/required", "want a list of keys");
        const std::string name(key.get_string());
        const auto found = std::find_if(properties.begin(), properties.end(), [&](const Property& p) { return p.name == name; });
        if (found != properties.end()) {
          found->required = true;
        } else if (closed && additional != nullptr) {
          return fail(place + "/required", "\"" + name + "\" is required, and additionalProperties forbids it");
        } else {
          names.push_back(name);
          if (name.size() > key_bytes_max) return fail(place + "/required", "a key of more than 256 bytes");
          properties.push_back({name, rules_.member(literal(json::value(name)), value), true});
        }
      }
    }
    if (properties.empty() && closed) return rules_.bracketed('{', {}, '}');
    if (properties.empty() && (additional == nullptr || additional->is_bool())) return rules_.object();
    return rules_.bracketed(
        '{', in_order(properties, closed ? std::nullopt : std::optional(rules_.member(string_except(names), value)), place), '}');
  }

  /// The properties in order, those not required or not there, then any number of others. Two rules for each place in the list, by
  /// whether a member stands before it: the grammar stays as long as the list.
  Expr in_order(const std::vector<Property>& properties, const std::optional<Expr>& other, const std::string& place) {
    Expr first;  // nothing stands before
    Expr later;
    if (other) {
      later = Expr::repeat(Expr::sequence({rules_.comma(), *other}), 0, no_max);
      first = Expr::repeat(Expr::sequence({*other, later}), 0, 1);
    }
    for (std::size_t i = properties.size(); i-- > 0;) {
      const auto& property = properties[i];
      const auto here = place + " from \"" + property.name + "\" on";
      const Expr behind = Expr::of_rule(rules_.add(here, std::move(later)));
      auto with = Expr::sequence({property.member, behind});
      first = property.required ? with : Expr::choice({with, std::move(first)});
      later = Expr::sequence({rules_.comma(), std::move(with)});
      if (!property.required) later = Expr::choice({std::move(later), behind});
      if (i > 0) first = Expr::of_rule(rules_.add(here, std::move(first)));
    }
    return first;
  }

  static std::string pointer_token(std::string_view key) {
    std::string token;
    for (const char c : key) token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return token;
  }

  const json::value& schema_;
  JsonRules rules_;
  std::map<std::string, std::uint32_t> by_place_;
  std::deque<Waiting> queue_;
  std::optional<std::string> error_;
};

}  // namespace

core::Result<GrammarRules> json_schema_rules(std::string_view schema) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 2 * depth_max;
  const json::value value = json::parse(schema, error, {}, options);
  if (error) return core::fail(core::Errc::bad_argument, "json_schema: no JSON: " + error.message());
  return SchemaReader(value).read();
}

GrammarRules json_object_rules() {
  JsonRules rules;
  const auto root = rules.add("root");
  rules.set(root, rules.object());
  return rules.take(root);
}

}  // namespace spillway::model
