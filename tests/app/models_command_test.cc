#include "app/models_command.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <sstream>
#include <string>

#include "tests/model/tiny_vocabulary.h"

using namespace spillway;
using namespace spillway::app;
using namespace spillway::model::test;

BOOST_AUTO_TEST_SUITE(models_command)

namespace {

/// A vocabulary-only file and what a command wrote.
struct Fixture {
  Fixture() {
    model::test::GgufWriter writer;
    add_tiny_bpe(writer, "smollm", tiny_chat_template());
    BOOST_REQUIRE(writer.write(path));
  }
  ~Fixture() { std::remove(path.c_str()); }

  int tokenize(const std::string& input, bool special = false, bool bos = false) {
    std::istringstream in(input);
    return models_tokenize({path, special, bos}, in, out, errors);
  }
  int detokenize(const std::string& input) {
    std::istringstream in(input);
    return models_detokenize(path, in, out, errors);
  }

  std::string path = "/tmp/spillway_models_" + std::to_string(::getpid()) + ".gguf";
  std::ostringstream out;
  std::ostringstream errors;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(tokenizes_line_by_line, Fixture) {
  BOOST_TEST(tokenize("\"<|im_end|>\"\n\n\"a\"\n\"\"\n", true, true) == 0);
  BOOST_TEST(out.str() == "[1,2]\n[1,100]\n[1]\n");
  BOOST_TEST(errors.str() == "");
}

BOOST_FIXTURE_TEST_CASE(without_special_control_tokens_are_text, Fixture) {
  BOOST_TEST(tokenize("\"<|im_end|>\"\n") == 0);
  BOOST_TEST(boost::json::parse(out.str()).as_array().size() == 10U);
}

BOOST_FIXTURE_TEST_CASE(detokenizes_to_valid_utf8, Fixture) {
  // Half of U+4E16 alone, then whole; control tokens written out.
  BOOST_TEST(detokenize("[231]\n[231,187,153]\n[1,100,2]\n[]\n") == 0);
  BOOST_TEST(out.str() == "\"\xef\xbf\xbd\"\n\"\xe4\xb8\x96\"\n\"<|im_start|>a<|im_end|>\"\n\"\"\n");
}

BOOST_FIXTURE_TEST_CASE(wrong_lines_are_named, Fixture) {
  const auto says = [&](int status, std::string_view part) {
    BOOST_TEST(status == 1);
    BOOST_TEST(errors.str().find(part) != std::string::npos, errors.str());
    errors.str("");
  };
  says(tokenize("\"a\"\n[1]\n"), "line 2: not a string; want one JSON string a line");
  says(tokenize("\"a\n"), "line 1: incomplete JSON");
  says(detokenize("[1,-2]\n"), "line 1: -2 is no token id below");
  says(detokenize("[1,100000]\n"), "100000 is no token id below");
  says(detokenize("[1.5]\n"), "is no token id");
  says(detokenize("\"a\"\n"), "not a list");
}

BOOST_FIXTURE_TEST_CASE(inspects_as_one_json_value, Fixture) {
  BOOST_TEST(models_inspect(path, true, out, errors) == 0);
  const boost::json::value found = boost::json::parse(out.str());
  BOOST_TEST(found.at("metadata").at("tokenizer.ggml.pre").as_string() == "smollm");
  BOOST_TEST(found.at("metadata").at("tokenizer.ggml.tokens").at("array").as_string() == "string");
  BOOST_TEST(found.at("tensors").as_array().empty());
  out.str("");
  BOOST_TEST(models_inspect(path, false, out, errors) == 0);
  BOOST_TEST(out.str().find("tokenizer.ggml.pre = \"smollm\"") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(absent_models_tell_the_fix, Fixture) {
  BOOST_TEST(models_inspect("/nonexistent.gguf", true, out, errors) == 1);
  BOOST_TEST(models_pull("no-such-model", true, out, errors) == 1);
  BOOST_TEST(out.str() == "");
  BOOST_TEST(errors.str().find("want one of smollm2-135m") != std::string::npos, errors.str());
}

BOOST_AUTO_TEST_SUITE_END()
