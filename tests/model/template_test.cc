#include "model/template.h"

#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/model/shared_data.h"

using namespace spillway::model::jinja;
using namespace spillway::model::test;
namespace bdata = boost::unit_test::data;
namespace json = boost::json;

namespace {

const RenderOptions at_noon{.now = {2026, 1, 15, 12, 0, 0}, .limits = {}};

Datum variables(const json::value& value) {
  const auto parsed = parse_json(json::serialize(value));
  BOOST_REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().message));
  return *parsed;
}

Datum parsed(std::string_view text) {
  return variables(json::parse(text));
}

/// What a source makes of variables: its text, or "ERROR" and the message.
std::string rendered(std::string_view source, const Datum& context, const RenderOptions& options = at_noon) {
  const auto made = Template::compile(source);
  if (!made) return "ERROR " + made.error().to_string();
  const auto text = made->render(context, options);
  return text ? text->text : "ERROR " + text.error().to_string();
}

struct ErrorCase {
  const char* name;
  const char* source;
  Fault fault;
  const char* want;
  friend std::ostream& operator<<(std::ostream& out, const ErrorCase& c) { return out << c.name; }
};

const ErrorCase error_cases[] = {
    {"an undefined value is used", "a\n{% for m in [1] %}\n{{ x.y }}\n{% endfor %}", Fault::runtime,
     "line 3: in `{{ }}`: 'x' is undefined"},
    {"the line is that of the operation", "{% if true and\n  1 +\n 'a' %}{% endif %}", Fault::runtime,
     "line 2: in `{% if %}`: unsupported operand type(s) for +: 'int' and 'str'"},
    {"a loop over nothing", "\n{% for a in 5 %}{% endfor %}", Fault::runtime, "line 2: in `{% for %}`: 'int' object is not iterable"},
    {"a filter that fails is named", "{{ 'a'|abs }}", Fault::runtime, "in `{{ }}`: filter 'abs': bad operand type for abs(): 'str'"},
    {"a filter that is not there", "{{ 1|nope }}", Fault::runtime, "No filter named 'nope'."},
    {"a test that is not there", "{{ 1 is nope }}", Fault::runtime, "No test named 'nope'."},
    {"what the template says itself", "{% if true %}\n{{ raise_exception('No tools, ' ~ n) }}{% endif %}", Fault::raised,
     "line 2: in `{{ }}`: No tools, 3"},
    {"whole numbers end at 64 bits", "{{ 9223372036854775807 + n }}", Fault::runtime, "outside the 64 bits of a whole number"},
    {"powers too", "{{ 10 ** 20 }}", Fault::runtime, "outside the 64 bits"},
    {"int() too", "{{ '9223372036854775808'|int }}", Fault::runtime, "outside the 64 bits"},
    {"an open block", "{% if x %}\n", Fault::syntax, "in `{% if %}`"},
    {"an open expression", "\n\n{{ (1 }}", Fault::syntax, "line 3: unexpected '}', expected ')'"},
    {"an unknown tag", "{% for a in b %}{% endif %}", Fault::syntax, "unknown tag 'endif'; looking for 'endfor' or 'else'"},
    {"another template", "{% include 'x' %}", Fault::syntax, "in `{% include %}`: other templates cannot be used here"},
    {"inheritance", "{% extends 'x' %}", Fault::syntax, "in `{% extends %}`: other templates cannot be used here"},
    {"a tag of an extension", "{% do x %}", Fault::syntax, "in `{% do %}`: the tag is not supported"},
    {"a break outside a loop", "{% break %}", Fault::syntax, "'break' outside a loop"},
    {"no break out of a macro", "{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", Fault::syntax, "outside a loop"},
    {"text that would be another each time", "{{ [1]|random }}", Fault::runtime, "'random' is not supported"},
    {"a macro with too much", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", Fault::runtime, "takes not more than 1 argument(s)"},
    {"a macro with an unknown name", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", Fault::runtime, "takes no keyword argument 'b'"},
};

const ErrorCase bombs[] = {
    {"a loop in a loop in a loop",
     "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}", Fault::limit,
     "more than"},
    {"a range", "{{ range(1000000000)|list }}", Fault::limit, "range"},
    {"a text times a number", "{{ 'abcdefgh' * 1000000000 }}", Fault::limit, "KiB"},
    {"a list times a number", "{{ [1, 2] * 1000000000 }}", Fault::limit, "KiB"},
    {"a text that doubles", "{% set n = namespace(t='ab') %}{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}", Fault::limit,
     "KiB"},
    {"a list that doubles", "{% set n = namespace(t=[1]) %}{% for i in range(99) %}{% set n.t = n.t + n.t %}{% endfor %}", Fault::limit,
     "KiB"},
    {"a list that grows while it is read", "{% set l = [1] %}{% for i in l %}{{ l.append(i) }}{% endfor %}", Fault::limit, ""},
    {"output", "{% set a = 'x' * 1000000 %}{% for i in range(9999) %}{{ a }}{% endfor %}", Fault::limit, "KiB"},
    {"replace", "{% set a = 'x' * 100000 %}{{ a.replace('x', a) }}", Fault::limit, "KiB"},
    {"join", "{{ (['x' * 100000] * 100000)|join('y') }}", Fault::limit, "KiB"},
    {"a width", "{{ '%999999999d' % 1 }}{{ 'a'.center(9999999999) }}", Fault::limit, "KiB"},
    {"indentation", "{{ ('a\n' * 100000)|indent(100000) }}", Fault::limit, "KiB"},
    {"a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", Fault::limit, "deep"},
    {"a loop that calls itself", "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", Fault::limit, "deep"},
    {"a list in itself", "{% set l = [] %}{{ l.append(l) }}{{ l }}", Fault::limit, "deep"},
    {"lists in lists that are compared", "{% set l = [] %}{% set m = [] %}{{ l.append(l) }}{{ m.append(m) }}{{ l == m }}", Fault::limit,
     "deep"},
    {"a list in itself as JSON", "{% set l = [] %}{% set x = l.append(l) %}{{ l|tojson }}", Fault::limit, "deep"},
    {"filters over filters",
     "{% set n = namespace(t=[1]) %}{% for i in range(9999) %}{% set n.t = n.t|map('string') %}{% endfor %}{{ n.t|list }}", Fault::limit,
     "deep"},
    {"a long way in", "{% set n = namespace(t=1) %}{% for i in range(90000) %}{% set n.t = [n.t] %}{% endfor %}{{ n.t }}", Fault::limit,
     "deep"},
    {"a search in a search", "{% set a = 'a' * 1000000 %}{% for i in range(99999) %}{% if a + 'b' in a %}{% endif %}{% endfor %}",
     Fault::limit, "steps"},
};

std::string nested(const std::string& open, const std::string& inner, const std::string& close, int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += inner;
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

struct MarkCase {
  const char* name;
  const char* source;
  const char* want;  ///< own bytes as they are, all others as "."
  friend std::ostream& operator<<(std::ostream& out, const MarkCase& c) { return out << c.name; }
};

// u = "user", s = "<|x|>", bos_token = "<s>", n = 7, l = ["a", "<|y|>"]
const MarkCase mark_cases[] = {
    {"literals are the template's", "a{{ 'b' }}{{ u }}", "ab...."},
    {"so are its token variables", "{{ bos_token }}{{ u }}{{ bos_token ~ u }}", "<s>....<s>...."},
    {"concatenation keeps the parts", "{{ '<' + s + '>' }}{{ '(' ~ s ~ ')' }}", "<.....>(.....)"},
    {"numbers belong to nobody", "{{ '<|' ~ n ~ '|>' }}", "<|.|>"},
    {"trim, upper, slices", "{{ (' A' + u + 'b ')|trim|upper }}{{ ('abc' + u)[1:5] }}", "A....Bbc.."},
    {"reversed", "{{ ('ab' + u)[::-1] }}", "....ba"},
    {"what is put in a text of others is theirs", "{{ u.replace('s', '<|x|>') }}", "........"},
    {"what is put in an own text keeps its kind", "{{ 'aXb'.replace('X', s) }}{{ 'aXb'.replace('X', '<>') }}", "a.....ba<>b"},
    {"split and join", "{{ ('a-' + u).split('-')|join('+') }}", "a+...."},
    {"format", "{{ '<%s>' % s }}{{ '<{}>'.format(s) }}{{ '<%s>'|format(s) }}", "<.....><.....><.....>"},
    {"JSON and repr", "{{ {'k': s}|tojson }}{{ [s, 'k'] }}", "..k......................k.."},
    {"macros, blocks and captures", "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(u) }}{% set b %}[{{ u }}]{% endset %}{{ b|upper }}",
     "<....>[....]"},
    {"indented lines", "{{ ('a\nb' + u)|indent(2) }}", "a...b...."},
    {"characters of a loop", "{% for c in 'ab' + u %}{{ c }}{% endfor %}", "ab...."},
    {"keys of the template", "{% for k in {'ab': 1} %}{{ k }}{% endfor %}", "ab"},
    {"escaped text", "{{ (s ~ '<')|e }}", "...........&lt;"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(template_language)

/// tests/model/template_cases.json: sources with what jinja2 3.1.6 made of them.
BOOST_AUTO_TEST_CASE(texts_equal_those_of_jinja2) {
  const json::value all = read_json(std::string(SPILLWAY_SOURCE_DIR) + "/tests/model/template_cases.json");
  const Datum context = variables(all.at("context"));
  unsigned texts = 0;
  unsigned errors = 0;
  for (const auto& c : all.at("cases").as_array()) {
    const std::string source = text_of(c.at("template"));
    const std::string got = rendered(source, context);
    if (c.as_object().contains("text")) {
      BOOST_TEST(got == text_of(c.at("text")), source << "\n  got  " << got << "\n  want " << text_of(c.at("text")));
      ++texts;
    } else {
      BOOST_TEST(got.starts_with("ERROR"), source << "\n  got " << got);
      ++errors;
    }
  }
  BOOST_TEST_MESSAGE("cases of jinja2: " << texts << " texts, " << errors << " refusals");
  BOOST_TEST(texts > 150U);
  BOOST_TEST(errors > 40U);
}

BOOST_AUTO_TEST_CASE(golden_templates) {
  unsigned ran = 0;
  if (const auto folder = shared_path("golden/templates")) {
    for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
      if (entry.path().extension() != ".json") continue;
      auto source = entry.path();
      const std::string text = read_text(source.replace_extension(".jinja").string());
      const json::value cases = read_json(entry.path().string());
      for (const auto& c : cases.as_array()) {
        const std::string got = rendered(text, variables(c.at("context")));
        const std::string name = entry.path().stem().string() + " " + text_of(c.at("case"));
        if (c.as_object().contains("text")) BOOST_TEST(got == text_of(c.at("text")), name << ": " << got);
        else BOOST_TEST(got.find(text_of(c.at("error"))) != got.npos, name << ": " << got);
        ++ran;
      }
    }
    BOOST_TEST(ran > 0U);
  }
  BOOST_TEST_MESSAGE("shared templates: " << ran << " renderings" << (ran == 0 ? " (shared material absent)" : ""));
}

BOOST_DATA_TEST_CASE(errors_name_line_and_construct, bdata::make(error_cases), c) {
  const auto made = Template::compile(c.source);
  const auto text = made ? made->render(parsed(R"({"n": 3})"), at_noon) : tl::make_unexpected(made.error());
  BOOST_REQUIRE(!text);
  BOOST_TEST(static_cast<int>(text.error().fault) == static_cast<int>(c.fault));
  BOOST_TEST(text.error().to_string().find(c.want) != std::string::npos, text.error().to_string());
}

BOOST_DATA_TEST_CASE(bombs_are_stopped, bdata::make(bombs), c) {
  RenderOptions options = at_noon;
  options.limits = {.steps_max = 2'000'000, .bytes_max = std::size_t{32} << 20, .depth_max = 500};
  const auto made = Template::compile(c.source);
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().to_string()));
  const auto text = made->render(parsed("{}"), options);
  BOOST_REQUIRE(!text);
  BOOST_TEST(static_cast<int>(text.error().fault) == static_cast<int>(c.fault), text.error().to_string());
  BOOST_TEST(text.error().message.find(c.want) != std::string::npos, text.error().to_string());
}

BOOST_AUTO_TEST_CASE(nested_sources_are_stopped) {
  const int deep = 100'000;
  for (const std::string& source :
       {"{{ " + nested("(", "1", ")", deep) + " }}", "{{ " + nested("[", "1", "]", deep) + " }}",
        "{{ " + nested("not ", "1", "", deep) + " }}", "{{ " + nested("- ", "1", "", deep) + " }}",
        "{{ " + nested("1 + ", "1", "", deep) + " }}", "{{ a" + nested(".a", "", "", deep) + " }}",
        "{{ a" + nested("|e", "", "", deep) + " }}", "{{ a" + nested("()", "", "", deep) + " }}",
        "{{ " + nested("1 if 1 else ", "1", "", deep) + " }}", nested("{% if 1 %}", "", "{% endif %}", deep),
        nested("{% for a in b %}", "", "{% endfor %}", deep), "{% set " + nested("(", "a", ")", deep) + " = 1 %}"}) {
    const auto made = Template::compile(source);
    BOOST_REQUIRE(!made);
    BOOST_TEST(made.error().message.find("nested more than 200 deep") != std::string::npos, made.error().message);
  }
  // Wide is not deep.
  BOOST_TEST(rendered("{{ 1" + nested(" ~ 1", "", "", 5000) + " }}", parsed("{}")).size() == 5001U);
  BOOST_TEST(rendered("{% if 0 %}" + nested("{% elif 0 %}", "", "", 5000) + "{% else %}x{% endif %}", parsed("{}")) == "x");
}

BOOST_DATA_TEST_CASE(marks_tell_the_template_from_its_variables, bdata::make(mark_cases), c) {
  const auto made = Template::compile(c.source);
  BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().to_string()));
  const auto text = made->render(parsed(R"({"u": "user", "s": "<|x|>", "bos_token": "<s>", "n": 7, "l": ["a", "<|y|>"]})"), at_noon);
  BOOST_REQUIRE_MESSAGE(text, (text ? "" : text.error().to_string()));
  std::string shown(text->text.size(), '.');
  for (const TextSpan& span : text->own)
    shown.replace(span.begin, span.end - span.begin, text->text.substr(span.begin, span.end - span.begin));
  BOOST_TEST(shown == c.want, shown << " of " << text->text);
}

BOOST_AUTO_TEST_CASE(a_rendering_leaves_template_and_variables_as_they_were) {
  const auto made = Template::compile("{% set x = l.append(4) %}{{ l }}{{ [1, 2] }}");
  const Datum context = parsed(R"({"l": [1]})");
  for (int i = 0; i < 2; ++i) BOOST_TEST(made->render(context, at_noon)->text == "[1, 4][1, 2]");
}

BOOST_AUTO_TEST_CASE(times_are_read) {
  const auto time = parse_time("2026-01-15T12:34:56Z");
  BOOST_REQUIRE(time);
  BOOST_TEST(time->hour == 12);
  BOOST_TEST(time->second == 56);
  BOOST_TEST(parse_time("2026-01-15")->day == 15);
  BOOST_TEST(parse_time("2026-01-15 23:59")->minute == 59);
  for (const char* wrong : {"", "today", "2026-13-01", "2026-02-30", "2026-01-15T25:00", "2026-01-15T12:00:00x", "2026-1-5"})
    BOOST_TEST(!parse_time(wrong));
}

BOOST_AUTO_TEST_CASE(json_keeps_what_it_says) {
  const auto read = [](std::string_view text) { return rendered("{{ v|tojson }}", Datum{Datum::Object{{"v", *parse_json(text)}}}); };
  BOOST_TEST(read(R"({"b": 1, "a": [1.0, 0.1, 1e22, -0.0, true, null], "b": 2})") ==
             R"({"b": 2, "a": [1.0, 0.1, 1e+22, -0.0, true, null]})");
  BOOST_TEST(read("9223372036854775807") == "9223372036854775807");
  BOOST_TEST(read("123456789.12345678901") == "123456789.12345679");
  for (const char* wrong : {"", "{", "[1,]", "{} x", "NaN", "9223372036854775808", "123456789012345678901234567890", "\"\xff\""}) {
    BOOST_TEST(!parse_json(wrong), wrong);
  }
  BOOST_TEST(!parse_json(nested("[", "", "]", 100'000)));
}

BOOST_AUTO_TEST_SUITE_END()
