#include "sim/event_generator_spec.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
using namespace std::chrono_literals;
namespace bdata = boost::unit_test::data;

namespace {

const char* every_key = R"(version = 1
duration = "2h"
block_tokens = 32
[captions]
channels = 7
languages = ["it"]
cadence = "2s"
jitter_percent = 10
deadline = "1s"
glossary_tokens = 11
text_tokens = 12
output_tokens = 13
tenant = "t1"
model = "m1"
[chat]
sessions_per_minute = 21
burst_percent = 22
burst_on = "23s"
burst_off = "24s"
turns = 25
think = "26s"
answer_token = "27ms"
system_tokens = 28
input_tokens = 29
output_tokens = 30
tenant = "t2"
model = "m2"
[moderation]
uploads_per_minute = 41
on = "42s"
off = "43s"
policy_tokens = 44
input_tokens = 45
output_tokens = 46
tenant = "t3"
model = "m3"
[[moments]]
kind = "goal"
at = "1min"
length = "51s"
chat_percent = 52
cadence_percent = 53
uploads = 54
upload_delay = "55s"
[[moments]]
kind = "breaking-news"
at = "2min"
)";

struct BadCase {
  const char* name;  // the rule
  std::string text;
  const char* want;  // all errors, one a line
  friend std::ostream& operator<<(std::ostream& out, const BadCase& c) { return out << c.name; }
};

const BadCase bad_cases[] = {
    {"a version is required", "duration = \"1h\"\n", "e:1: version: is missing: want 1; add `version = 1`"},
    {"and first", "duration = \"1h\"\nversion = 1\n", "e:2: version = 1: want it before all other keys; begin the file with `version = 1`"},
    {"another version", "version = 2\n", "e:1: version = 2: want 1; for example: version = 1"},
    {"no TOML", "version = \n", nullptr},
    {"an unknown key with a neighbour", "version = 1\n[chat]\nturn = 3\n",
     "e:3: chat.turn = 3: is no key of an event; did you mean `turns`?"},
    {"an unknown table", "version = 1\n[caption]\n", "e:2: caption: is no key of an event; did you mean `captions`?"},
    {"an unknown key", "version = 1\n[moderation]\nhumans = 3\n",
     "e:3: moderation.humans = 3: is no key of an event; want one of uploads_per_minute, on, off, policy_tokens, input_tokens, "
     "output_tokens, tenant, model"},
    {"beyond a range", "version = 1\nblock_tokens = 0\n",
     "e:2: block_tokens = 0: want a whole number from 1 to 4096 tokens; for example: block_tokens = 16"},
    {"a bad unit", "version = 1\n[captions]\ncadence = \"4 s\"\n",
     "e:3: captions.cadence = \"4 s\": want a duration from 100ms to 24h; for example: cadence = \"4s\""},
    {"a value for a table", "version = 1\nchat = 3\n", "e:2: chat = 3: want a table; for example: [chat]"},
    {"one table for many", "version = 1\n[moments]\nkind = \"goal\"\n",
     "e:2: moments: want a list of tables; write [[moments]] with two brackets"},
    {"a kind of moment", "version = 1\n[[moments]]\nkind = \"own-goal\"\nat = \"1min\"\n",
     "e:3: moments[0].kind = \"own-goal\": want kick-off, goal or breaking-news; for example: kind = \"goal\""},
    {"a moment needs its time", "version = 1\n[[moments]]\nkind = \"goal\"\n",
     "e:2: moments[0].at: is missing: want a duration from 0ns to 168h; add `at = \"12min\"`"},
    {"a moment within the event", "version = 1\nduration = \"10min\"\n[[moments]]\nkind = \"goal\"\nat = \"10min\"\n",
     "e:5: moments[0].at = \"10min\": want a time within the duration of the event; make the event longer"},
    {"all errors at once", "version = 1\nblock_tokens = 0\n[chat]\nturns = 0\n",
     "e:2: block_tokens = 0: want a whole number from 1 to 4096 tokens; for example: block_tokens = 16\n"
     "e:4: chat.turns = 0: want a whole number from 1 to 64 turns; for example: turns = 3"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(event_generator_spec)

BOOST_AUTO_TEST_CASE(every_key_is_read) {
  const auto spec = parse_event(every_key, "e");
  BOOST_REQUIRE(spec.has_value());
  BOOST_TEST((spec->duration == 2h && spec->block_tokens == 32));
  const auto& captions = spec->captions;
  BOOST_TEST((captions.channels == 7 && captions.languages == std::vector<std::string>{"it"} && captions.cadence == 2s &&
              captions.jitter_percent == 10 && captions.deadline == 1s && captions.glossary_tokens == 11 && captions.text_tokens == 12 &&
              captions.output_tokens == 13 && captions.tenant == "t1" && captions.model == "m1"));
  const auto& chat = spec->chat;
  BOOST_TEST((chat.sessions_per_minute == 21 && chat.burst_percent == 22 && chat.burst_on == 23s && chat.burst_off == 24s &&
              chat.turns == 25 && chat.think == 26s && chat.answer_token == 27ms && chat.system_tokens == 28 && chat.input_tokens == 29 &&
              chat.output_tokens == 30 && chat.tenant == "t2" && chat.model == "m2"));
  const auto& moderation = spec->moderation;
  BOOST_TEST((moderation.uploads_per_minute == 41 && moderation.on == 42s && moderation.off == 43s && moderation.policy_tokens == 44 &&
              moderation.input_tokens == 45 && moderation.output_tokens == 46 && moderation.tenant == "t3" && moderation.model == "m3"));
  BOOST_REQUIRE(spec->moments.size() == 2U);
  const auto& goal = spec->moments[0];
  BOOST_TEST((goal.kind == MomentKind::goal && goal.at == 1min && goal.length == 51s && goal.chat_percent == 52 &&
              goal.cadence_percent == 53 && goal.uploads == 54 && goal.upload_delay == 55s));
  const auto& news = spec->moments[1];
  const auto usual = usual_moment(MomentKind::breaking_news);
  BOOST_TEST((news.at == 2min && news.length == usual.length && news.uploads == usual.uploads && news.chat_percent == usual.chat_percent));
}

BOOST_AUTO_TEST_CASE(what_is_left_out_has_its_default) {
  const auto spec = parse_event("version = 1\n", "e");
  BOOST_REQUIRE(spec.has_value());
  BOOST_TEST((spec->duration == EventSpec{}.duration && spec->captions.channels == CaptionSpec{}.channels && spec->moments.empty()));
}

BOOST_DATA_TEST_CASE(what_is_wrong_is_named_with_its_line, bdata::make(bad_cases), c) {
  const auto spec = parse_event(c.text, "e");
  BOOST_REQUIRE(!spec.has_value());
  const auto message = config::to_error(spec.error()).message;
  if (c.want == nullptr) BOOST_TEST((message.find("e:1") == 0), message);
  else BOOST_TEST(message == c.want);
}

BOOST_AUTO_TEST_CASE(files_are_opened_or_named) {
  const TestFolder folder;
  BOOST_TEST(load_event(folder.write("e.toml", "version = 1\nduration = \"1min\"\n")).value().duration.count() == 60'000'000'000);
  const auto absent = load_event(folder.file("absent.toml"));
  BOOST_REQUIRE(!absent.has_value());
  BOOST_TEST(config::to_error(absent.error()).message ==
             folder.file("absent.toml") + ": cannot be opened: want the file of an event; give the path of a TOML file");
  BOOST_TEST(!load_event(folder.file("")).has_value());
  BOOST_TEST(!load_event(folder.write("long.toml", "version = 1\n#" + std::string(1U << 20, 'x'))).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
