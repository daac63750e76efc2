#include "app/render_command.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/app/run_command.h"
#include "tests/model/gguf_writer.h"
#include "tests/model/tiny_vocabulary.h"

using namespace spillway::app;
using namespace spillway::model::test;

BOOST_AUTO_TEST_SUITE(render_command)

namespace {

struct Fixture {
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder.file(name), std::ios::binary) << text;
    return folder.file(name);
  }
  Outcome run(const std::string& source, const std::string& messages, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"render", "--template", write("t.jinja", source), "--messages", write("m.json", messages)};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  }
  TestFolder folder;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_text_and_nothing_behind_it, Fixture) {
  const Outcome done = run("{% for m in messages %}\n[{{ m.role }}] {{ m.content }}\n{% endfor %}{{ eos_token }} {{ now_is }}",
                           R"({"messages": [{"role": "user", "content": "Grüße {{ x }}"}], "eos_token": "</s>", "now_is": 1.0})");
  BOOST_TEST(done.status == 0, done.errors);
  BOOST_TEST(done.out == "[user] Grüße {{ x }}\n</s> 1.0");
  BOOST_TEST(done.errors == "");
}

BOOST_FIXTURE_TEST_CASE(the_clock_is_told, Fixture) {
  BOOST_TEST(run("{{ strftime_now('%d %b %Y %H:%M') }}", "{}", {"--now", "2026-01-15T12:00:00"}).out == "15 Jan 2026 12:00");
  const Outcome wrong = run("x", "{}", {"--now", "noon"});
  BOOST_TEST(wrong.status == 2);
  BOOST_TEST(wrong.errors.find("2026-01-15T12:00:00") != std::string::npos, wrong.errors);
}

BOOST_FIXTURE_TEST_CASE(failures_go_to_stderr, Fixture) {
  const auto says = [](const Outcome& done, int status, std::string_view part) {
    BOOST_TEST(done.status == status);
    BOOST_TEST(done.out == "");
    BOOST_TEST(done.errors.find(part) != std::string::npos, done.errors);
  };
  says(run("a\n{{ raise_exception('System role not supported') }}", "{}"), 1, "line 2: in `{{ }}`: System role not supported");
  says(run("{{ x.y }}", "{}"), 1, "'x' is undefined");
  says(run("{% if %}", "{}"), 1, "t.jinja: line 1");
  says(run("x", "{"), 1, "m.json: no JSON");
  says(run("x", "3"), 1, "want an object");
  says(run_command({"render", "--template", "/nonexistent", "--messages", "/nonexistent"}), 1, "cannot read /nonexistent");
  says(run_command({"render", "--messages", folder.file("m.json")}), 2, "--model or --template");
  says(run("x", "{}", {"--model", "m"}), 2, "--");
}

BOOST_FIXTURE_TEST_CASE(a_model_brings_template_and_tokens, Fixture) {
  GgufWriter writer;
  add_tiny_bpe(writer, "smollm", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ add_generation_prompt }}");
  const auto bytes = writer.finish();
  write("m.gguf", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  const auto with = [&](const std::string& messages) {
    return run_command({"render", "--model", folder.file("m.gguf"), "--messages", write("m.json", messages)});
  };
  BOOST_TEST(with(R"([{"role": "user", "content": "hi"}])").out == "<|im_start|>hi<|im_end|>True");
  BOOST_TEST(with(R"({"messages": [{"content": "hi"}], "bos_token": "B"})").out == "Bhi<|im_end|>");
}

BOOST_AUTO_TEST_SUITE_END()
