#include "model/template.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "model/template_ast.h"
#include "model/template_interpreter.h"

namespace spillway::model::jinja {

namespace {

constexpr std::array<std::string_view, 8> token_variables = {"bos_token", "eos_token", "unk_token",  "pad_token",
                                                             "sep_token", "cls_token", "mask_token", "eot_token"};

TemplateError error_of(const Failure& failure) {
  return {failure.fault, failure.message, failure.line, failure.construct};
}

/// Variables as values of a heap.
class Loader {
 public:
  explicit Loader(Heap& heap) : heap_(heap) {}
  Value load(const Datum& datum, bool own) {
    const Deeper deeper(heap_);
    if (const auto* b = std::get_if<bool>(&datum.value)) return Value(*b);
    if (const auto* i = std::get_if<std::int64_t>(&datum.value)) return Value(*i);
    if (const auto* d = std::get_if<double>(&datum.value)) return Value(*d);
    if (const auto* text = std::get_if<std::string>(&datum.value)) return heap_.text(*text, own);
    if (const auto* list = std::get_if<Datum::List>(&datum.value)) {
      std::vector<Value> items;
      items.reserve(list->size());
      for (const Datum& item : *list) items.push_back(load(item, false));
      return make_list(heap_, std::move(items));
    }
    if (const auto* object = std::get_if<Datum::Object>(&datum.value)) {
      auto* dict = heap_.make<DictObject>();
      heap_.charge(object->size() * sizeof(Value) * 4);
      dict->entries.reserve(object->size());
      for (const auto& [name, value] : *object) dict->entries.emplace_back(heap_.text(name), load(value, false));
      return dict;
    }
    return None{};
  }

 private:
  Heap& heap_;
};

Rendered rendered(const Text& text) {
  Rendered out;
  out.text = text.bytes();
  const auto& edges = text.marks().edges();
  bool own = text.marks().first();
  std::size_t from = 0;
  for (std::size_t i = 0; i <= edges.size(); ++i) {
    const std::size_t to = i < edges.size() ? edges[i] : out.text.size();
    if (own && from < to) out.own.push_back({from, to});
    own = !own;
    from = to;
  }
  return out;
}

}  // namespace

bool is_token_variable(std::string_view name) {
  return std::find(token_variables.begin(), token_variables.end(), name) != token_variables.end();
}

std::string TemplateError::to_string() const {
  std::string where;
  if (line != 0) where = "line " + std::to_string(line) + ": ";
  if (!construct.empty()) where += "in `" + construct + "`: ";
  return where + message;
}

core::Error TemplateError::to_error() const {
  const std::string text = to_string();
  if (fault == Fault::syntax) return {core::Errc::unsupported, "the chat template cannot be used: " + text, {}};
  if (fault == Fault::raised) return {core::Errc::bad_argument, "the chat template refuses this conversation: " + text, {}};
  return {core::Errc::bad_argument, "the chat template fails on this conversation: " + text, {}};
}

TemplateResult<Template> Template::compile(std::string_view source) {
  if (source.size() > source_bytes_max) {
    return tl::make_unexpected(TemplateError{Fault::syntax, "the template is larger than 4 MiB", 0, {}});
  }
  try {
    return Template(parse(source));
  } catch (const Failure& failure) {
    return tl::make_unexpected(error_of(failure));
  }
}

TemplateResult<Rendered> Template::render(const Datum& variables, const RenderOptions& options) const {
  const auto* object = std::get_if<Datum::Object>(&variables.value);
  if (object == nullptr) return tl::make_unexpected(TemplateError{Fault::runtime, "the variables are no object", 0, {}});
  try {
    Heap heap(options.limits);
    Interpreter interpreter(heap, options.now);
    Loader loader(heap);
    for (const auto& [name, value] : *object) interpreter.root().set(heap, name, loader.load(value, is_token_variable(name)));
    return rendered(*interpreter.run(*program_));
  } catch (const Failure& failure) {
    return tl::make_unexpected(error_of(failure));
  }
}

core::Result<LocalTime> parse_time(std::string_view text) {
  LocalTime time;
  const auto wrong = [&] {
    return core::fail(core::Errc::bad_argument, "the time '" + std::string(text) + "' is none: want 2026-01-15T12:00:00");
  };
  std::string_view rest = text;
  const auto number = [&](std::size_t digits, int low, int high, int& out) {
    if (rest.size() < digits) return false;
    const auto read = std::from_chars(rest.data(), rest.data() + digits, out);
    if (read.ptr != rest.data() + digits || read.ec != std::errc{} || out < low || out > high) return false;
    rest.remove_prefix(digits);
    return true;
  };
  const auto mark = [&](std::string_view any) {
    if (rest.empty() || any.find(rest.front()) == any.npos) return false;
    rest.remove_prefix(1);
    return true;
  };
  if (!number(4, 1, 9999, time.year) || !mark("-") || !number(2, 1, 12, time.month) || !mark("-") || !number(2, 1, 31, time.day))
    return wrong();
  constexpr int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (time.day > days[time.month - 1]) return wrong();
  if (rest.empty()) return time;
  if (!mark("T ") || !number(2, 0, 23, time.hour) || !mark(":") || !number(2, 0, 59, time.minute)) return wrong();
  if (mark(":") && !number(2, 0, 59, time.second)) return wrong();
  if (mark(".")) rest.remove_prefix(std::min(rest.find_first_not_of("0123456789"), rest.size()));
  mark("Z");
  return rest.empty() ? core::Result<LocalTime>(time) : wrong();
}

LocalTime local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return {parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec};
}

}  // namespace spillway::model::jinja
