#include "sim/profile.h"

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
  const char* file;
  const char* from;
  const char* to;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"an op that is not known", "dense.csv", "o_proj,0", "x_proj,0", "dense.csv:10:", "layer = x_proj: want one of embedding"},
    {"an op that is missing", "per_sequence.csv", "lm_head,0,100\nlm_head,128,1380\n", "",
     "per_sequence.csv:1:", "no row of the layer lm_head"},
    {"two times for one point", "dense.csv", "act_fn,1024", "act_fn,0", "dense.csv:15:", "act_fn has a time for 0 tokens already"},
    {"a time below 0", "dense.csv", "o_proj,0,10", "o_proj,0,-1", "dense.csv:10:", "time_us = -1: want a number from 0 to"},
    {"a time beyond measure", "attention.csv", "0,0,1,16,9", "0,0,1,16,1e9", "attention.csv:2:", "time_us = 1e9: want a number from 0 to"},
    {"tokens that are no number", "dense.csv", "o_proj,1024", "o_proj,many", "dense.csv:11:", "tokens = many: want a whole number"},
    {"a column missing", "attention.csv", "kv_prefill", "kv", "attention.csv:1:", "no column kv_prefill"},
    {"a row of nothing", "attention.csv", "0,0,1,16", "0,0,0,0", "attention.csv:2:", "neither a prefill chunk nor decodes"},
    {"history of no chunk", "attention.csv", "0,0,1,16", "0,5,1,16", "attention.csv:2:", "kv_prefill without"},
    {"decodes without context", "attention.csv", "0,0,1,16", "0,0,1,0", "attention.csv:2:", "want both 0 or neither"},
    {"the same point twice", "attention.csv", "0,0,1,1040", "0,0,1,16", "attention.csv:3:", "second time"},
    {"no model", "meta.yaml", "model: example/Tiny-2L\n", "", "meta.yaml:1:", "no key model"},
    {"no times of one device", "meta.yaml", "[1, 2]", "[2]", "meta.yaml:5:", "tp_degrees lacks 1"},
    {"an overhead that is no time", "meta.yaml",
     "skew_fit:", "step_overhead_us: -1\nskew_fit:", "meta.yaml:10:", "step_overhead_us is \"-1\""},
    {"a malformed meta file", "meta.yaml", "skew_fit:", "skew_fit", "meta.yaml:10:", "want \"key: value\""},
};

struct DepthCase {
  const char* model;
  std::int64_t want;  // 0: not known
  friend std::ostream& operator<<(std::ostream& out, const DepthCase& c) { return out << c.model; }
};

const DepthCase depth_cases[] = {
    {"meta-llama/Llama-3.1-8B", 32},
    {"meta-llama/Llama-3.1-8B-Instruct", 32},
    {"meta-llama/Meta-Llama-3.1-8B", 32},
    {"Llama-3.1-70B", 80},
    {"Llama-3.1-8Bx", 0},
    {"xLlama-3.1-8B", 0},
    {"example/Tiny-2L", 0},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(profile)

BOOST_AUTO_TEST_CASE(a_profile_is_read_by_column_name) {
  const TinyProfile folder;
  folder.write("per_sequence.csv", "time_us,note,sequences,layer\n100,x,0,lm_head\n1380,x,128,lm_head\n5,x,1,sampler\n");
  const auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
  BOOST_TEST(profile->model == "example/Tiny-2L");
  BOOST_TEST(profile->costs.layers == 2);
  BOOST_TEST(profile->costs.dense.size() == 9U);
  BOOST_TEST(!profile->costs.skew.enabled());
  StepShape shape;
  shape.rows = shape.sequences = 1;
  BOOST_TEST(profile->costs.time_of(shape)->count() == (18 * 11 + 115) * 1000);
}

BOOST_AUTO_TEST_CASE(what_the_profiler_ran_with_says_nothing_of_the_served_engine) {
  const TinyProfile folder;
  const auto before = read_profile(folder.path(), 2);
  folder.replace("meta.yaml", "num_hidden_layers: 1", "num_hidden_layers: 77");
  folder.replace("meta.yaml", "max_num_batched_tokens: 64", "max_num_batched_tokens: 1");
  const auto after = read_profile(folder.path(), 2);
  BOOST_REQUIRE((before && after));
  BOOST_TEST(after->costs.layers == before->costs.layers);
}

BOOST_AUTO_TEST_CASE(an_overhead_in_the_profile_is_one_of_each_step) {
  const TinyProfile folder;
  folder.replace("meta.yaml", "skew_fit:", "step_overhead_us: 12.5\nskew_fit:");
  const auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE(profile.has_value());
  BOOST_TEST(profile->costs.step_overhead == 12'500'000);
}

BOOST_AUTO_TEST_CASE(whole_steps_and_their_layers_are_read) {
  const TinyProfile folder;
  folder.write("dense.csv", "layer,tokens,time_us\nstep,1,20\nstep,3,40\n");
  folder.replace("meta.yaml", "skew_fit:", "layers: 1\nskew_fit:");
  const auto profile = read_profile(folder.path(), std::nullopt);
  BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
  BOOST_TEST(profile->costs.layers == 1);
  StepShape shape;
  shape.rows = 2;
  shape.sequences = 1;
  BOOST_TEST(profile->costs.time_of(shape)->count() == (30 + 115) * 1000);

  folder.write("dense.csv", "layer,tokens,time_us\nstep,1,20\no_proj,3,40\n");
  const auto mixed = read_profile(folder.path(), std::nullopt);
  BOOST_REQUIRE(!mixed.has_value());
  BOOST_TEST(says(mixed.error(), "dense.csv:3:", "want one of step"));
  folder.replace("meta.yaml", "\nlayers: 1", "\nlayers: 1.5");
  const auto torn = read_profile(folder.path(), std::nullopt);
  BOOST_REQUIRE(!torn.has_value());
  BOOST_TEST(says(torn.error(), "meta.yaml:10:", "want a whole number from 1 to"));
}

BOOST_DATA_TEST_CASE(a_malformed_profile_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const TinyProfile folder;
  folder.replace(c.file, c.from, c.to);
  const auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE(!profile.has_value());
  BOOST_TEST(says(profile.error(), folder.file("") + c.place, c.says));
}

BOOST_DATA_TEST_CASE(a_missing_file_is_named,
                     bdata::make(std::vector<std::string>{"dense.csv", "attention.csv", "per_sequence.csv", "meta.yaml"}), name) {
  const TinyProfile folder;
  folder.remove(name);
  const auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE(!profile.has_value());
  BOOST_TEST(says(profile.error(), folder.file(name), "cannot be opened"));
}

BOOST_DATA_TEST_CASE(layers_are_known_by_the_models_name_or_asked_for, bdata::make(depth_cases), c) {
  const TinyProfile folder;
  folder.replace("meta.yaml", "example/Tiny-2L", c.model);
  const auto profile = read_profile(folder.path(), std::nullopt);
  BOOST_TEST(profile.has_value() == (c.want != 0));
  if (profile) BOOST_TEST(profile->costs.layers == c.want);
  if (!profile) BOOST_TEST(says(profile.error(), "meta.yaml:4:", "want --layers N"));
  BOOST_TEST(read_profile(folder.path(), 5)->costs.layers == 5);
}

BOOST_AUTO_TEST_SUITE_END()
