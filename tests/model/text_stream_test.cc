#include "model/text_stream.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/model/tiny_vocabulary.h"

using namespace spillway;
using namespace spillway::model;
using namespace spillway::model::test;

BOOST_AUTO_TEST_SUITE(text_stream)

namespace {

std::shared_ptr<const Tokenizer> tiny() {
  GgufWriter writer;
  add_tiny_bpe(writer, "gpt-2", "");
  const core::ByteVector bytes = writer.finish();
  return *Tokenizer::from_gguf(*GgufFile::parse(bytes));
}

/// Tokens of the single bytes of `text`: the worst case for characters.
std::vector<core::TokenId> byte_tokens(std::string_view text) {
  std::vector<core::TokenId> tokens;
  for (const char c : text) tokens.push_back(3 + static_cast<unsigned char>(c));
  return tokens;
}

struct Run {
  std::string text;
  std::vector<std::string> parts;
  bool stopped = false;
  std::size_t used = 0;
};

Run run(TextStream stream, const std::vector<core::TokenId>& tokens) {
  Run result;
  for (const core::TokenId token : tokens) {
    ++result.used;
    result.parts.emplace_back(stream.feed(token));
    result.text += result.parts.back();
    if (stream.stopped()) break;
  }
  result.text += stream.finish();
  result.stopped = stream.stopped();
  return result;
}

bool valid(std::string_view text) {
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    if (point.value == not_a_character) return false;
    text.remove_prefix(point.bytes);
  }
  return true;
}

std::string sanitised(std::string_view bytes) {
  Utf8Stream stream;
  std::string out;
  stream.feed(bytes, out);
  stream.finish(out);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(never_half_a_character) {
  const Run result = run(TextStream(tiny(), {}), byte_tokens("a\xe4\xb8\x96\xf0\x9f\x98\x80z"));
  BOOST_TEST(result.text == "a\xe4\xb8\x96\xf0\x9f\x98\x80z");
  BOOST_TEST(result.parts == (std::vector<std::string>{"a", "", "", "\xe4\xb8\x96", "", "", "", "\xf0\x9f\x98\x80", "z"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(broken_characters_become_replacements) {
  const std::string r = "\xef\xbf\xbd";
  BOOST_TEST(sanitised("a\xe4\xb8") == "a" + r);
  BOOST_TEST(sanitised("\xe4\xb8z") == r + "z");
  BOOST_TEST(sanitised("\xff\x80") == r + r);
  BOOST_TEST(sanitised("\xed\xa0\x80") == r + r + r);
  BOOST_TEST(sanitised("\xf0\x9f\xf0\x9f\x98\x80") == r + "\xf0\x9f\x98\x80");
  BOOST_TEST(sanitised("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41") == r + r + r + r + r + r + r + r + "A");  // Unicode, table 3-8
  BOOST_TEST(sanitised("\xed\xa0\x80\xf4\x91\x92\x93\xff\x41\x80\xbf\x42") == r + r + r + r + r + r + r + r + "A" + r + r + "B");
  BOOST_TEST(sanitised("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41") == r + r + r + r + "A");
}

BOOST_AUTO_TEST_CASE(cuts_before_the_stop_string) {
  const Run result = run(TextStream(tiny(), {"world"}), byte_tokens("the world goes on"));
  BOOST_TEST(result.stopped);
  BOOST_TEST(result.text == "the ");
  BOOST_TEST(result.used == 9U);
}

BOOST_AUTO_TEST_CASE(holds_back_only_what_may_be_a_stop) {
  const Run result = run(TextStream(tiny(), {"abc"}), byte_tokens("aabx"));
  BOOST_TEST(!result.stopped);
  BOOST_TEST(result.parts == (std::vector<std::string>{"", "a", "", "abx"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_was_held_comes_at_the_end) {
  const Run result = run(TextStream(tiny(), {"abc", ""}), byte_tokens("xab"));
  BOOST_TEST(result.parts == (std::vector<std::string>{"x", "", ""}), boost::test_tools::per_element());
  BOOST_TEST(result.text == "xab");
}

BOOST_AUTO_TEST_CASE(of_several_stops_the_one_that_begins_first_counts) {
  const auto tokenizer = tiny();
  const auto tokens = tokenizer->encode(" the world");  // " the", " wor", "ld"
  BOOST_TEST(run(TextStream(tokenizer, {"or", "he", "wor"}), tokens).text == " t");
  BOOST_TEST(run(TextStream(tokenizer, {"or", "wor"}), tokens).text == " the ");
  BOOST_TEST(run(TextStream(tokenizer, {"rl"}), tokens).text == " the wo");
}

BOOST_AUTO_TEST_CASE(control_tokens_have_no_text) {
  BOOST_TEST(run(TextStream(tiny(), {}), {3 + 'a', 2, 1, 3 + 'b', 999999, -5}).text == "ab");
}

BOOST_AUTO_TEST_CASE(any_tokens_any_cut_give_the_text_of_the_whole) {
  const auto tokenizer = tiny();
  std::mt19937 random(17);
  unsigned stops_hit = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<core::TokenId> tokens;
    for (unsigned i = random() % 40; i > 0; --i) {
      tokens.push_back(random() % 2 == 0 ? 3 + static_cast<int>("ab\xe4\xb8\x96"[random() % 5] & 255)
                                         : static_cast<int>(random() % tokenizer->size()));
    }
    const std::vector<std::string> stops = {"ab", "b\xe4\xb8\x96", "aaab"};
    const Run result = run(TextStream(tokenizer, stops), tokens);
    std::string bytes;
    for (std::size_t i = 0; i < result.used; ++i) bytes += tokenizer->piece(tokens[i]);
    std::string whole = sanitised(bytes);
    std::size_t first = whole.npos;
    for (const std::string& stop : stops) first = std::min(first, whole.find(stop));
    stops_hit += result.stopped;
    BOOST_REQUIRE(result.stopped == (first != whole.npos));
    BOOST_REQUIRE_EQUAL(result.text, whole.substr(0, first));
    for (const std::string& part : result.parts) BOOST_REQUIRE(valid(part));
    // Replayed to any point, a stream goes on as the first one did.
    const std::size_t cut = tokens.empty() ? 0 : random() % tokens.size();
    TextStream replay(tokenizer, stops);
    for (std::size_t i = 0; i < cut && i < result.used; ++i) replay.feed(tokens[i]);
    for (std::size_t i = cut; i < result.used; ++i) BOOST_REQUIRE_EQUAL(std::string(replay.feed(tokens[i])), result.parts[i]);
  }
  BOOST_TEST(stops_hit > 300U);
}

BOOST_AUTO_TEST_SUITE_END()
