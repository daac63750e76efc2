#include "sim/engine_settings.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

struct WrongCase {
  const char* name;
  const char* from;
  const char* to;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"not JSON", "\"block_size\": 16,", "\"block_size\" 16,", ":5:", "no JSON"},
    {"cut off", "}}\n}", "}}", ":", "no JSON"},
    {"something behind it", "}}\n}", "}}\n}\n{}", ":10:", "want nothing"},
    {"blocks that are no number", "40", "\"40\"", ":4:", "kv_cache/num_gpu_blocks is \"40\": want a whole number"},
    {"no block at all", "40", "0", ":4:", "want a whole number from 1"},
    {"blocks of another size", "\"block_size\": 16", "\"block_size\": 32", ":5:", "want blocks of 16 tokens"},
    {"several devices", "\"tensor_parallel_size\": 1", "\"tensor_parallel_size\": 2", ":", "want an engine of one device"},
    {"a switch that is none", "true", "1", ":6:", "want true or false"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(engine_settings)

BOOST_AUTO_TEST_CASE(the_file_says_it_and_what_was_resolved_outranks_what_was_asked) {
  const TinyProfile folder;
  const auto settings = read_engine_settings(folder.path(), {});
  BOOST_REQUIRE(settings.has_value());
  BOOST_TEST(settings->kv_blocks == 40U);
  BOOST_TEST(settings->sequences_max == 4U);
  BOOST_TEST(settings->step_tokens_max == 128U);
  BOOST_TEST(settings->prefix_cache);
}

BOOST_AUTO_TEST_CASE(flags_outrank_the_file) {
  const TinyProfile folder;
  const auto settings =
      read_engine_settings(folder.path(), {.kv_blocks = 7, .sequences_max = 3, .step_tokens_max = 99, .no_prefix_cache = true});
  BOOST_REQUIRE(settings.has_value());
  BOOST_TEST(settings->kv_blocks == 7U);
  BOOST_TEST(settings->sequences_max == 3U);
  BOOST_TEST(settings->step_tokens_max == 99U);
  BOOST_TEST(!settings->prefix_cache);
}

BOOST_AUTO_TEST_CASE(a_file_without_prefix_caching_turns_it_off) {
  const TinyProfile folder;
  folder.replace("vllm-meta.json", "true", "false");
  BOOST_TEST(!read_engine_settings(folder.path(), {})->prefix_cache);
}

BOOST_AUTO_TEST_CASE(without_a_file_only_the_blocks_must_be_said) {
  const TinyProfile folder;
  folder.remove("vllm-meta.json");
  const auto settings = read_engine_settings(folder.path(), {.kv_blocks = 9, .sequences_max = {}, .step_tokens_max = {}});
  BOOST_REQUIRE(settings.has_value());
  BOOST_TEST(settings->kv_blocks == 9U);
  BOOST_TEST(settings->sequences_max == 256U);
  BOOST_TEST(settings->step_tokens_max == 2048U);
  BOOST_TEST(settings->prefix_cache);
  const auto none = read_engine_settings(folder.path(), {});
  BOOST_REQUIRE(!none.has_value());
  BOOST_TEST(says(none.error(), "vllm-meta.json: is not there", "--kv-blocks N"));
}

BOOST_AUTO_TEST_CASE(values_that_are_null_are_not_there) {
  const TinyProfile folder;
  folder.replace("vllm-meta.json", "\"num_gpu_blocks\": 40", "\"num_gpu_blocks\": null");
  BOOST_TEST(says(read_engine_settings(folder.path(), {}).error(), "vllm-meta.json:1:", "no number of KV blocks"));
  folder.replace("vllm-meta.json", "\"scheduler_config\"", "\"cache_config\": {\"num_gpu_blocks\": 41}, \"scheduler_config\"");
  BOOST_TEST(read_engine_settings(folder.path(), {})->kv_blocks == 41U);
}

BOOST_DATA_TEST_CASE(a_malformed_file_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const TinyProfile folder;
  folder.replace("vllm-meta.json", c.from, c.to);
  const auto settings = read_engine_settings(folder.path(), {});
  BOOST_REQUIRE(!settings.has_value());
  BOOST_TEST(says(settings.error(), "vllm-meta.json" + std::string(c.place), c.says));
}

BOOST_AUTO_TEST_SUITE_END()
