#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"

/// The Jinja of the model hubs: jinja2 with trim_blocks, lstrip_blocks and loop controls, `tojson` without ASCII escapes,
/// `raise_exception`, `strftime_now` and the `generation` tag. Values behave as in Python; integers have 64 bits and
/// refuse to overflow. A template reads nothing but its variables and the clock it is given.
namespace spillway::model::jinja {

struct DatumMember;

/// A variable of a template: what JSON can say.
struct Datum {
  using List = std::vector<Datum>;
  using Object = std::vector<DatumMember>;  ///< in the order written; a name stands once
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Object> value;
};

struct DatumMember {
  std::string name;
  Datum value;
};

/// Reads one JSON value: integers beyond 64 bits are refused, NaN and Infinity are not JSON. bad_file says what is wrong.
core::Result<Datum> parse_json(std::string_view text);

/// Wall-clock time as people of one place read it.
struct LocalTime {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;
};
/// "2026-01-15T12:00:00", "2026-01-15 12:00", "2026-01-15"; a trailing Z is accepted. bad_argument for anything else.
core::Result<LocalTime> parse_time(std::string_view text);
/// Now, in the time zone of this process.
LocalTime local_time();

/// Bounds of one rendering; a template that wants more fails with Fault::limit.
struct RenderLimits {
  std::uint64_t steps_max = 20'000'000;            ///< nodes evaluated, and work on long values in units of 64 bytes or 8 entries
  std::size_t bytes_max = std::size_t{256} << 20;  ///< memory of all values at once, the output included
  std::uint32_t depth_max = 1000;                  ///< nested evaluations, calls and values
};

struct RenderOptions {
  LocalTime now;
  RenderLimits limits;
};

/// A range of bytes.
struct TextSpan {
  std::size_t begin = 0, end = 0;
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

/// What a template wrote. `own` = the bytes that stand in the template itself or in its variables `bos_token`, `eos_token`
/// and their like; everything else comes from other variables, however it was cut, joined or changed. Ascending, apart.
struct Rendered {
  std::string text;
  std::vector<TextSpan> own;
};

enum class Fault : std::uint8_t {
  syntax,   ///< the source is no template, or asks for what this interpreter does not have
  raised,   ///< the template called raise_exception
  runtime,  ///< the template does something that its values do not allow
  limit,    ///< a bound of RenderLimits
};

struct TemplateError {
  Fault fault = Fault::runtime;
  std::string message;     ///< for `raised` what the template says, else what is wrong
  std::uint32_t line = 0;  ///< of the source, from 1; 0 = unknown
  std::string construct;   ///< "{% for %}", "{{ }}", ...; may be empty

  /// "line 3: in `{% for %}`: 'x' is undefined".
  std::string to_string() const;
  /// bad_argument for what a conversation can cause, unsupported for a source that does not compile.
  core::Error to_error() const;
};

template <class T>
using TemplateResult = tl::expected<T, TemplateError>;

/// The names of variables whose text counts as the template's own.
bool is_token_variable(std::string_view name);

struct Program;

/// A compiled template. Immutable and safe to share between threads.
class Template {
 public:
  static constexpr std::size_t source_bytes_max = 4U << 20;

  static TemplateResult<Template> compile(std::string_view source);
  /// `variables` must hold an object.
  TemplateResult<Rendered> render(const Datum& variables, const RenderOptions& options = {}) const;

 private:
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

}  // namespace spillway::model::jinja
