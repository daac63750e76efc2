// JSON Schemas: which texts their rules accept, and what is said of those that are wrong or not offered.

#include "model/grammar_schema.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "model/grammar_automaton.h"
#include "model/grammar_stacks.h"

using namespace spillway;

namespace {

struct SchemaCase {
  const char* rule;
  std::string schema;
  std::vector<std::string> accepted;
  std::vector<std::string> refused;
};

const SchemaCase schema_cases[] = {
    {"anything", "{}", {"1", "\"a\"", "[1,{}]", R"({"a":[null,true]})", "-0.5e+7"}, {"", "01", "nul", "[1,]", "\"\n\""}},
    {"true", "true", {"{}", "0"}, {"}"}},
    {"null and boolean", R"({"type":["null","boolean"]})", {"null", "true", "false"}, {"0", "True"}},
    {"integer", R"({"type":"integer"})", {"0", "-12", "123456789012345678"}, {"1.0", "00", "-", "1234567890123456789"}},
    {"number", R"({"type":"number"})", {"0", "-1.5", "2e10", "3.25E-7"}, {".5", "1.", "1e", "1e999"}},
    {"minimum and maximum",
     R"({"type":"integer","minimum":-12,"maximum":130})",
     {"-12", "-1", "0", "9", "99", "130"},
     {"-13", "131", "-0", "200"}},
    {"a minimum alone", R"({"type":"integer","minimum":250})", {"250", "999", "1000", "99999"}, {"249", "0", "-250"}},
    {"a maximum below zero", R"({"type":"integer","maximum":-5})", {"-5", "-10", "-99"}, {"-4", "0", "5"}},
    {"bounds without the bound", R"({"exclusiveMinimum":3,"exclusiveMaximum":6})", {"4", "5"}, {"3", "6"}},
    {"bounds that are no integers", R"({"type":"integer","minimum":1.5,"exclusiveMaximum":3.5})", {"2", "3"}, {"1", "4"}},
    {"string", R"({"type":"string"})", {R"("")", R"("aé\n\u00e9")", R"("\"")"}, {"\"", R"("\x")", R"("\ud800")", "\"a\tb\""}},
    {"lengths", R"({"minLength":1,"maxLength":3})", {R"("a")", R"("aéb")", R"("\n\u0041")"}, {R"("")", R"("abcd")"}},
    {"pattern", R"({"pattern":"^[a-c]+\\d{2}$"})", {R"("a12")", R"("abc99")"}, {R"("a1")", R"("d12")", R"("xa12")"}},
    {"a pattern without anchors", R"({"pattern":"b"})", {R"("b")", R"("abc")"}, {R"("ac")", R"("")"}},
    {"a pattern of signs that JSON escapes", R"({"pattern":"^[\"\\\\\\n]$"})", {R"("\"")", R"("\\")", R"("\n")"}, {R"(""")", R"("n")"}},
    {"alternates of a pattern", R"({"pattern":"^a$|^b(?:c|d)?$"})", {R"("a")", R"("b")", R"("bd")"}, {R"("ab")", R"("c")"}},
    {"format date", R"({"format":"date"})", {R"("2026-02-28")"}, {R"("2026-13-01")", R"("26-01-01")"}},
    {"format date-time", R"({"type":"string","format":"date-time"})", {R"("2026-01-15T12:00:00Z")"}, {R"("2026-01-15 12:00")"}},
    {"format uuid", R"({"format":"uuid"})", {R"("00112233-4455-6677-8899-aabbccddeeff")"}, {R"("0011")"}},
    {"enum", R"({"enum":["a",1,null,[1,2]]})", {R"("a")", "1", "null", "[1,2]"}, {"a", "2"}},
    {"const", R"({"const":{"a":"\"b"}})", {R"({"a":"\"b"})"}, {"{}"}},
    {"anyOf", R"({"anyOf":[{"type":"null"},{"type":"integer"}]})", {"null", "3"}, {"true"}},
    {"oneOf", R"({"oneOf":[{"type":"string"},{"type":"boolean"}]})", {R"("")", "true"}, {"3"}},
    {"any object", R"({"type":"object"})", {"{}", R"({"a":1,"b":{}})", "{ }", "{\n  \"a\": 1\n}"}, {"[]", R"({"a"})", R"({"a":1,})"}},
    {"properties in order",
     R"({"properties":{"a":{"type":"integer"},"b":{"type":"null"},"c":{"type":"boolean"}},"required":["b"]})",
     {R"({"b":null})", R"({"a":1,"b":null})", R"({"b":null,"c":true})", R"({"a":1, "b":null, "c":true})"},
     {"{}", R"({"a":1})", R"({"b":null,"a":1})", R"({"b":null,"d":1})", R"({"b":null,})"}},
    {"none required",
     R"({"properties":{"a":{"type":"integer"},"b":{"type":"null"}}})",
     {"{}", R"({"a":1})", R"({"b":null})"},
     {R"({,"b":null})"}},
    {"others by a schema",
     R"({"properties":{"ab":{"type":"integer"}},"additionalProperties":{"type":"boolean"}})",
     {"{}", R"({"ab":1})", R"({"ab":1,"a":true,"abc":false})", R"({"x":true})", R"({"":true})"},
     {R"({"ab":true})", R"({"x":1})", R"({"x":true,"ab":1})"}},
    {"no others", R"({"type":"object","additionalProperties":false})", {"{}"}, {R"({"a":1})"}},
    {"required without properties",
     R"({"required":["k"],"additionalProperties":{"type":"null"}})",
     {R"({"k":null})"},
     {"{}", R"({"j":null})"}},
    {"keys that JSON escapes", R"({"properties":{"a\"b":{"type":"null"}}})", {R"({"a\"b":null})"}, {R"({"a"b":null})"}},
    {"any array", R"({"type":"array"})", {"[]", "[1, \"a\"]", "[[]]"}, {"[1 2]", "[,]"}},
    {"items", R"({"items":{"type":"integer"}})", {"[]", "[1,2]"}, {"[true]"}},
    {"a count of items",
     R"({"items":{"type":"null"},"minItems":1,"maxItems":3})",
     {"[null]", "[null,null,null]"},
     {"[]", "[null,null,null,null]"}},
    {"first items",
     R"({"prefixItems":[{"type":"integer"},{"type":"null"}],"items":{"type":"boolean"}})",
     {"[]", "[1]", "[1,null]", "[1,null,true,false]"},
     {"[null]", "[1,true]"}},
    {"first items and no others",
     R"({"prefixItems":[{"type":"integer"},{"type":"null"}],"items":false,"minItems":1})",
     {"[1]", "[1,null]"},
     {"[]", "[1,null,1]"}},
    {"a list",
     R"({"$ref":"#/$defs/list","$defs":{"list":{"anyOf":[{"type":"null"},)"
     R"({"properties":{"next":{"$ref":"#/$defs/list"}},"required":["next"]}]}}})",
     {"null", R"({"next":null})", R"({"next":{"next":null}})"},
     {R"({"next":1})", "{}"}},
    {"a tree",
     R"({"type":"object","properties":{"sub":{"type":"array","items":{"$ref":"#"}}}})",
     {"{}", R"({"sub":[{},{"sub":[]}]})"},
     {R"({"sub":[1]})"}},
    {"words that say nothing", R"({"title":"t","description":"d","default":1,"examples":[1],"type":"null"})", {"null"}, {"1"}},
};

struct WrongCase {
  const char* schema;
  const char* says;
};

const WrongCase wrong_cases[] = {
    {"{", "json_schema: no JSON"},
    {"3", "#: came 3, want a schema"},
    {R"({"type":"text"})", "#/type: \"text\" is no type"},
    {R"({"type":["null",3]})", "#/type: want the name of a type or a list of names"},
    {R"({"properties":{"a":{"uniqueItems":true}}})", "#/properties/a/uniqueItems: this keyword is not offered"},
    {R"({"properties":{"a/b":{"not":{}}}})", "#/properties/a~1b/not: this keyword is not offered"},
    {R"({"items":{"multipleOf":3}})", "#/items/multipleOf"},
    {R"({"type":"number","minimum":1})", "#/minimum: bounds are offered for integers alone"},
    {R"({"minimum":5,"maximum":4})", "no integer"},
    {R"({"type":"string","minLength":3,"maxLength":2})", "#/maxLength: it is less than minLength"},
    {R"({"minLength":-1})", "#/minLength: came -1, want a whole number"},
    {R"({"pattern":"a","maxLength":2})", "#/pattern: it cannot stand beside"},
    {R"g({"pattern":"(?=a)"})g", "#/pattern: at 2: of groups with ? only (?: )"},
    {R"({"pattern":"[a"})", "#/pattern: at 3: a [ without its ]"},
    {R"({"pattern":"\\p{L}"})", "#/pattern: at 2: \\p is not understood"},
    {R"({"pattern":"a$b"})", "$ is understood at an end alone"},
    {R"({"format":"email"})", "#/format: \"email\" is not offered"},
    {R"({"enum":[]})", "#/enum: want a list with at least one element"},
    {R"({"anyOf":[{"type":"null"}],"oneOf":[true]})", "cannot stand beside anyOf"},
    {R"({"anyOf":[{"type":"null"}],"properties":{}})", "#/anyOf: it cannot stand beside keywords of a type"},
    {R"({"anyOf":[false]})", "#/anyOf/0: false accepts nothing"},
    {R"({"$ref":"#/$defs/x"})", "#/$ref: there is nothing at #/$defs/x"},
    {R"({"$ref":"http://x"})", "want a place in this schema"},
    {R"({"$ref":"#"})", "matches no finite text"},
    {R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})", "matches no finite text"},
    {R"({"items":{"type":"null"},"minItems":3,"maxItems":2})", "at least 3 and at most 2"},
    {R"({"required":["a"],"additionalProperties":false})", "#/required: \"a\" is required"},
};

core::Result<model::GrammarAutomaton> compile(const std::string& schema) {
  const auto rules = model::json_schema_rules(schema);
  if (!rules) return tl::make_unexpected(rules.error());
  return model::GrammarAutomaton::make(*rules);
}

bool accepts(const model::GrammarAutomaton& automaton, const std::string& text) {
  model::GrammarMatcher matcher(automaton);
  return matcher.accept(text) && matcher.can_end();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(grammar_schema)

BOOST_AUTO_TEST_CASE(each_keyword_accepts_what_it_says) {
  for (const auto& c : schema_cases) {
    const auto automaton = compile(c.schema);
    BOOST_REQUIRE_MESSAGE(automaton.has_value(), c.rule << ": " << (automaton ? "" : automaton.error().message));
    for (const auto& text : c.accepted) BOOST_TEST(accepts(*automaton, text), c.rule << ": refuses " << text);
    for (const auto& text : c.refused) BOOST_TEST(!accepts(*automaton, text), c.rule << ": accepts " << text);
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_its_place) {
  for (const auto& c : wrong_cases) {
    const auto automaton = compile(c.schema);
    BOOST_REQUIRE_MESSAGE(!automaton.has_value(), c.schema);
    BOOST_TEST((automaton.error().code == core::Errc::bad_argument));
    BOOST_TEST(automaton.error().message.find(c.says) != std::string::npos, c.schema << ": " << automaton.error().message);
  }
}

BOOST_AUTO_TEST_CASE(integers_of_every_range_near_zero) {
  for (int first = -120; first <= 120; first += 7) {
    for (int last = first; last <= 130; last += 11) {
      const auto automaton =
          compile(R"({"type":"integer","minimum":)" + std::to_string(first) + R"(,"maximum":)" + std::to_string(last) + "}");
      BOOST_REQUIRE(automaton.has_value());
      for (int value = -140; value <= 140; ++value)
        BOOST_REQUIRE_MESSAGE(accepts(*automaton, std::to_string(value)) == (value >= first && value <= last),
                              value << " in " << first << " to " << last);
    }
  }
}

BOOST_AUTO_TEST_CASE(any_json_object) {
  const auto automaton = model::GrammarAutomaton::make(model::json_object_rules());
  BOOST_REQUIRE(automaton.has_value());
  BOOST_TEST(accepts(*automaton, R"({"a":[1,{"b":"c"}],"d":null})"));
  BOOST_TEST(!accepts(*automaton, "[]"));
}

BOOST_AUTO_TEST_SUITE_END()
