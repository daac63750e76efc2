#define BOOST_TEST_MODULE template_fuzz
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/template.h"
#include "tests/model/shared_data.h"

// Any source ends: in a text or in an error with a message, the same one each time, within the bounds. 10,000 of them: templates
// with bytes and whole tokens put in, taken out, doubled and swapped; tokens in any order; and well-formed ones that apply
// anything to anything.

using namespace spillway::model::jinja;
using namespace spillway::model::test;

namespace {

constexpr unsigned mutations = 10'000;

const RenderOptions small{.now = {2026, 1, 15, 12, 0, 0},
                          .limits = {.steps_max = 20'000, .bytes_max = std::size_t{4} << 20, .depth_max = 200}};

const std::vector<std::string> snippets = {"{%",
                                           "%}",
                                           "{{",
                                           "}}",
                                           "{#",
                                           "#}",
                                           "-%}",
                                           "{%-",
                                           "{{-",
                                           "{% for x in l %}",
                                           "{% endfor %}",
                                           "{% if x %}",
                                           "{% else %}",
                                           "{% endif %}",
                                           "{% macro m(a, b=1) %}",
                                           "{% endmacro %}",
                                           "{% set x = ",
                                           "{% endset %}",
                                           "{% call m() %}",
                                           "{% endcall %}",
                                           "{% raw %}",
                                           "{% endraw %}",
                                           "{% break %}",
                                           "{% continue %}",
                                           "|tojson",
                                           "|join(",
                                           "|map('upper')",
                                           "|list",
                                           "|sort",
                                           "|groupby('n')",
                                           "|batch(3)",
                                           "|indent(2)",
                                           "|int",
                                           "|select",
                                           "|replace('a','b')",
                                           "|round(2)",
                                           "|default(1)",
                                           "|format(1)",
                                           " is defined",
                                           " is in ",
                                           " not ",
                                           " in ",
                                           " and ",
                                           " or ",
                                           " if ",
                                           " else ",
                                           "loop.last",
                                           "loop.nextitem",
                                           "loop(",
                                           "caller()",
                                           "range(5)",
                                           "namespace(a=1)",
                                           "dict(",
                                           "cycler(1,2).next()",
                                           "messages",
                                           "messages[0].content",
                                           "x",
                                           "none",
                                           "true",
                                           "'a%sb'",
                                           "\"\\u00e9\"",
                                           "1",
                                           "-1",
                                           "9223372036854775807",
                                           "1e308",
                                           "0.5",
                                           "[",
                                           "]",
                                           "(",
                                           ")",
                                           "{",
                                           "}",
                                           ":",
                                           "::",
                                           ",",
                                           ".",
                                           "*",
                                           "**",
                                           "/",
                                           "//",
                                           "%",
                                           "+",
                                           "-",
                                           "~",
                                           "==",
                                           "<",
                                           "=",
                                           "|",
                                           ".split(",
                                           ".format(",
                                           ".items()",
                                           ".append(",
                                           ".upper()",
                                           "[::-1]",
                                           "[1:2]",
                                           "\xff",
                                           "\xe4\xb8",
                                           "\n",
                                           " ",
                                           "strftime_now('%Y')",
                                           "raise_exception('x')",
                                           "varargs",
                                           "kwargs",
                                           "*l",
                                           "**d"};

const std::vector<std::string> atoms = {"x",       "y", "s",  "u", "l",   "d",        "n",    "t",       "msgs", "tree",
                                        "nothing", "0", "-1", "3", "2.5", "'a%sb{}'", "'12'", "'é世 X'", "none", "true"};
const std::vector<std::string> operators = {"+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"};
const std::vector<std::string> postfixes = {"[0]",
                                            "[-1]",
                                            "['a']",
                                            "[1:]",
                                            "[::-2]",
                                            ".a",
                                            ".items()",
                                            ".upper()",
                                            ".split()",
                                            ".split('X')",
                                            ".replace('a', 'bb')",
                                            ".format(1, a=2)",
                                            ".append(x)",
                                            ".get('a')",
                                            ".rsplit(None, 1)",
                                            ".title()",
                                            ".join(l)",
                                            ".pop()",
                                            ".count('a')"};
const std::vector<std::string> tests = {"defined",       "string",      "mapping", "iterable", "none",       "odd",
                                        "divisibleby 3", "in [1, 'a']", "eq 1",    "lt 2",     "sameas none"};
const std::vector<std::string> filters = {"trim",
                                          "upper",
                                          "title",
                                          "list",
                                          "sort",
                                          "sort(attribute='n')",
                                          "unique|list",
                                          "reverse",
                                          "join('-')",
                                          "tojson",
                                          "tojson(indent=2)",
                                          "length",
                                          "first",
                                          "last",
                                          "int",
                                          "float",
                                          "round(1)",
                                          "abs",
                                          "sum",
                                          "min",
                                          "max",
                                          "batch(2)|list",
                                          "slice(3)|list",
                                          "groupby('role')",
                                          "map('upper')|list",
                                          "map(attribute='n')|list",
                                          "select|list",
                                          "selectattr('n', 'gt', 1)|list",
                                          "dictsort",
                                          "items|list",
                                          "indent(3)",
                                          "center(30)",
                                          "replace('a', '<>')",
                                          "truncate(4)",
                                          "default(1, true)",
                                          "format(1)",
                                          "e",
                                          "string",
                                          "wordcount",
                                          "attr('a')",
                                          "d"};

struct Counts {
  unsigned texts = 0, refused = 0, failed = 0, limits = 0, raised = 0;
};

std::string outcome(const std::string& source, const Datum& context, Counts* counts) {
  const auto made = Template::compile(source);
  if (!made) {
    BOOST_REQUIRE(!made.error().message.empty());
    BOOST_REQUIRE(made.error().fault == Fault::syntax);
    if (counts != nullptr) ++counts->refused;
    return "refused " + made.error().to_string();
  }
  const auto text = made->render(context, small);
  if (!text) {
    BOOST_REQUIRE(!text.error().message.empty() || text.error().fault == Fault::raised);
    if (counts != nullptr)
      ++(text.error().fault == Fault::limit ? counts->limits : text.error().fault == Fault::raised ? counts->raised : counts->failed);
    return "failed " + text.error().to_string();
  }
  BOOST_REQUIRE(text->text.size() <= small.limits.bytes_max);
  std::size_t before = 0;
  for (const TextSpan& span : text->own) {
    BOOST_REQUIRE(span.begin < span.end && span.end <= text->text.size() && (before == 0 || span.begin > before));
    before = span.end;
  }
  if (counts != nullptr) ++counts->texts;
  return text->text;
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string source = pick(seeds_);
    for (std::uint32_t changes = 1 + below(6); changes > 0; --changes) change(source);
    return source;
  }
  std::string well_formed(int levels) {
    const auto inner = [&] { return well_formed(levels - 1); };
    if (levels <= 0) return "{{ " + expression(2) + " }}";
    switch (below(8)) {
      case 0: return "{% if " + expression(2) + " %}" + inner() + "{% else %}" + inner() + "{% endif %}";
      case 1: return "{% for q in " + expression(2) + " %}{{ loop.index ~ loop.last }}" + inner() + "{% endfor %}";
      case 2: return "{% for q in l if " + expression(1) + " recursive %}{{ q }}{{ loop(q) if q is mapping }}" + inner() + "{% endfor %}";
      case 3:
        return "{% macro m(a, b=" + expression(1) + ") %}{{ a }}{{ caller(b) if caller }}" + inner() + "{% endmacro %}{% call(z) m(" +
               expression(1) + ") %}" + inner() + "{% endcall %}";
      case 4: return "{% set x = " + expression(3) + " %}" + inner() + inner();
      case 5: return "{% set n = namespace(v=x) %}{% for q in range(30) %}{% set n.v = n.v ~ n.v %}{{ n.v[:3] }}{% endfor %}" + inner();
      case 6: return "{% filter " + pick(filters) + " %}" + inner() + "{% endfilter %}";
      default: return "{{ " + expression(3) + " }}";
    }
  }
  std::string noise() {
    std::string source;
    for (std::uint32_t i = below(60); i > 0; --i) source += below(8) == 0 ? std::string(1, static_cast<char>(below(256))) : pick(snippets);
    return source;
  }

 private:
  std::uint32_t below(std::size_t count) { return static_cast<std::uint32_t>(random_() % count); }
  const std::string& pick(const std::vector<std::string>& list) { return list[below(list.size())]; }
  std::string expression(int levels) {
    if (levels <= 0) return pick(atoms);
    const auto inner = [&] { return "(" + expression(levels - 1) + ")"; };
    switch (below(8)) {
      case 0: return inner() + " " + pick(operators) + " " + inner();
      case 1: return "[" + inner() + ", " + inner() + "]";
      case 2: return "{" + inner() + ": " + inner() + "}";
      case 3: return inner() + pick(postfixes);
      case 4: return inner() + " is " + pick(tests);
      case 5: return inner() + " if " + inner() + " else " + inner();
      default: return inner() + "|" + pick(filters);
    }
  }
  void change(std::string& source) {
    const std::size_t at = below(source.size() + 1);
    const std::size_t size = std::min<std::size_t>(below(24), source.size() - at);
    switch (below(6)) {
      case 0: source.insert(at, pick(snippets)); break;
      case 1: source.erase(at, size); break;
      case 2: source.insert(below(source.size() + 1), source.substr(at, size)); break;
      case 3: source.replace(at, size, pick(snippets)); break;
      case 4:
        if (at < source.size()) source[at] = static_cast<char>(below(256));
        break;
      default: {
        const std::string& other = pick(seeds_);
        const std::size_t from = below(other.size() + 1);
        source.insert(at, other.substr(from, below(80)));
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_{20260115};
};

}  // namespace

BOOST_AUTO_TEST_CASE(mutations_end_in_text_or_error) {
  const boost::json::value all = read_json(std::string(SPILLWAY_SOURCE_DIR) + "/tests/model/template_cases.json");
  std::vector<std::string> seeds;
  for (const auto& c : all.at("cases").as_array()) seeds.push_back(text_of(c.at("template")));
  const auto context = parse_json(boost::json::serialize(all.at("context")));
  BOOST_REQUIRE(context);
  Mutator mutator(seeds);
  Counts counts;
  for (unsigned i = 0; i < mutations; ++i) {
    const std::string source = i % 5 == 4   ? mutator.noise()
                               : i % 5 >= 2 ? mutator.well_formed(1 + static_cast<int>(i % 3))
                                            : mutator.next();
    const std::string first = outcome(source, *context, &counts);
    if (i % 16 == 0) BOOST_REQUIRE_MESSAGE(outcome(source, *context, nullptr) == first, source);
  }
  BOOST_TEST_MESSAGE("template mutations: " << mutations << ": " << counts.texts << " texts, " << counts.refused << " refused, "
                                            << counts.failed << " failed, " << counts.limits << " at a limit, " << counts.raised
                                            << " raised");
  BOOST_TEST(counts.texts + counts.refused + counts.failed + counts.limits + counts.raised == mutations);
  BOOST_TEST(counts.texts > mutations / 10);
  BOOST_TEST(counts.refused > mutations / 10);
  BOOST_TEST(counts.failed > mutations / 10);
  BOOST_TEST(counts.limits > 20U);
}
