#include "app/sim_run_command.h"

#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/app/run_command.h"
#include "tests/sim/tiny_profile.h"

using namespace spillway::app;
namespace bdata = boost::unit_test::data;

namespace {

using Words = std::vector<std::string>;

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

/// Forty requests in two seconds, more than two nodes of 64 blocks hold at once.
std::string write_trace(const TestFolder& folder) {
  std::string text = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  for (int i = 0; i < 40; ++i) {
    const std::string fraction = std::to_string(1000000 + i % 20 * 50000).substr(1);
    text += "2024-01-01 00:00:0" + std::to_string(i / 20) + "." + fraction + "0," + std::to_string(60 + i) + ",50\n";
  }
  write(folder.file("trace.csv"), text);
  return folder.file("trace.csv");
}

/// The files that one run reads, all well.
struct Inputs {
  TestFolder folder;
  std::string trace = write_trace(folder);
  std::string scenario = folder.file("scenario.toml");
  std::string cluster = folder.file("cluster.toml");
  spillway::sim::test::TinyProfile profile;
  Inputs() {
    write(scenario, "version = 1\n\n[slo.interactive]\nttft = \"5s\"\n");
    write(cluster, text_of(std::string(SPILLWAY_SOURCE_DIR) + "/sim/scenarios/burst-cluster.toml"));
  }
  Words words() const { return {"sim", "run", "--trace", trace, "--format", "azure", "--nodes", "2", "--kv-blocks", "64", "--json"}; }
  Words all() const {
    return {"sim",          "run",      cluster,      "--trace",  trace,
            "--format",     "azure",    "--scenario", scenario,   "--profile",
            profile.path(), "--layers", "2",          "--report", folder.file("report"),
            "--json"};
  }
};

/// A file made wrong, and what is said of it.
struct WrongFile {
  const char* what;
  std::string Inputs::*file;  // null = the profile's table of dense layers
  const char* from;
  const char* to;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongFile& c) { return out << c.what; }
};

const WrongFile wrong_files[] = {
    {"a trace's column", &Inputs::trace, "ContextTokens", "Context", "trace.csv:1", "ContextTokens"},
    {"a trace's number", &Inputs::trace, ",63,50", ",many,50", "trace.csv:5", "many"},
    {"a trace's stamp", &Inputs::trace, "2024-01-01 00:00:01.000000", "yesterday", "trace.csv:22", "yesterday"},
    {"a trace's row", &Inputs::trace, ",99,50\n", ",99\n", "trace.csv:41", ""},
    {"a scenario's key", &Inputs::scenario, "ttft", "tftt", "scenario.toml:4", "tftt"},
    {"a scenario's value", &Inputs::scenario, "5s", "soon", "scenario.toml:4", "soon"},
    {"a scenario's syntax", &Inputs::scenario, "[slo.interactive]", "[slo.interactive", "scenario.toml:3", ""},
    {"a cluster's version", &Inputs::cluster, "version = 1", "version = 99", "cluster.toml:1", "99"},
    {"a profile's number", nullptr, "", "", "dense.csv:2", ""},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sim_run_command)

BOOST_AUTO_TEST_CASE(the_same_seed_prints_and_writes_the_same_bytes) {
  const Inputs inputs;
  const auto run = [&](const std::string& name, const char* seed) {
    Words words = inputs.words();
    words.insert(words.end(), {"--seed", seed, "--spread-ms", "50", "--report", inputs.folder.file(name), "--timings",
                               inputs.folder.file(name + ".timings")});
    const auto done = run_command(words);
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
    BOOST_TEST(done.errors == "");
    BOOST_TEST(boost::json::parse(text_of(inputs.folder.file(name + ".timings"))).at("peak_rss_bytes").to_number<double>() > 0);
    return done.out;
  };
  const std::string first = run("a", "1");
  BOOST_TEST(run("b", "1") == first);
  BOOST_TEST(run("c", "2") != first);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(inputs.folder.file("a"))) {
    const std::string bytes = text_of(entry.path().string());
    BOOST_TEST(!bytes.empty());
    BOOST_CHECK(bytes == text_of(inputs.folder.file("b") + "/" + entry.path().filename().string()));
    ++files;
  }
  BOOST_TEST(files == 5U);
  BOOST_CHECK(text_of(inputs.folder.file("a") + "/requests.csv") != text_of(inputs.folder.file("c") + "/requests.csv"));
}

BOOST_AUTO_TEST_CASE(requests_are_completed_or_refused_and_every_figure_is_there) {
  const Inputs inputs;
  const auto done = run_command(inputs.words());
  BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
  const auto told = boost::json::parse(done.out);
  BOOST_TEST(told.at("requests").as_int64() == 40);
  BOOST_TEST(told.at("completed").as_int64() + told.at("refused").as_int64() == 40);
  BOOST_TEST(told.at("output_tokens").as_int64() == 50 * told.at("completed").as_int64());
  BOOST_TEST(told.at("seed").as_int64() == 1);
  for (const char* key : {"prompt_tokens", "goodput_rps", "moves", "prefix_hit_tokens", "simulated_seconds", "events"})
    BOOST_TEST(told.as_object().contains(key), key);
  for (const char* figure : {"ttft_ms", "tpot_ms", "e2e_ms"}) {
    const auto& f = told.at(figure);
    BOOST_TEST(f.at("p50").to_number<double>() <= f.at("p90").to_number<double>());
    BOOST_TEST(f.at("p90").to_number<double>() <= f.at("p99").to_number<double>());
    BOOST_TEST(f.at("mean").to_number<double>() > 0.0);
  }
  Words few = inputs.words();
  few[9] = "4";  // blocks: fewer than any request needs
  const auto refused = run_command(few);
  BOOST_REQUIRE_MESSAGE(refused.status == 0, refused.errors);
  BOOST_TEST(boost::json::parse(refused.out).at("refused").as_int64() == 40);
}

BOOST_AUTO_TEST_CASE(single_steps_give_the_figures_of_jumps) {
  const Inputs inputs;
  Words words = inputs.words();
  auto jumped = boost::json::parse(run_command(words).out).as_object();
  words.insert(words.end(), {"--single-steps", "--check"});
  auto stepped = boost::json::parse(run_command(words).out).as_object();
  BOOST_TEST(stepped.at("events").as_int64() > jumped.at("events").as_int64());
  for (const char* figure : {"completed", "refused", "ttft_ms", "tpot_ms", "e2e_ms", "goodput_rps", "simulated_seconds"})
    BOOST_TEST(boost::json::serialize(stepped.at(figure)) == boost::json::serialize(jumped.at(figure)), figure);
}

BOOST_AUTO_TEST_CASE(all_inputs_together_run) {
  const Inputs inputs;
  const auto done = run_command(inputs.all());
  BOOST_TEST(done.status == 0, done.errors);
}

BOOST_DATA_TEST_CASE(a_wrong_file_is_told_with_its_place_and_nothing_is_half_run, bdata::make(wrong_files), c) {
  const Inputs inputs;
  const std::string path = c.file != nullptr ? inputs.*c.file : inputs.profile.file("dense.csv");
  std::string text = text_of(path);
  if (c.file == nullptr) {
    const auto line = text.find('\n') + 1;
    text.replace(line, text.find('\n', line) - line, "a,b,c,d,e,f,g");
  } else {
    const auto at = text.find(c.from);
    BOOST_REQUIRE(at != std::string::npos);
    text.replace(at, std::string_view(c.from).size(), c.to);
  }
  write(path, text);
  const auto done = run_command(inputs.all());
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.errors.find(c.place) != std::string::npos, done.errors);
  BOOST_TEST(done.errors.find(c.says) != std::string::npos, done.errors);
  BOOST_TEST(!std::filesystem::exists(inputs.folder.file("report")));
}

BOOST_AUTO_TEST_CASE(wrong_use_is_exit_2) {
  const Inputs inputs;
  BOOST_TEST(run_command({"sim", "run"}).status == 2);
  BOOST_TEST(run_command({"sim", "run", "--trace", inputs.trace}).status == 2);
  BOOST_TEST(run_command({"sim", "run", inputs.cluster, "--trace", inputs.trace, "--format", "azure", "--nodes", "2"}).status == 2);
  BOOST_TEST(run_command({"sim", "run", "--trace", inputs.trace, "--format", "azure", "--policy", "dice"}).status == 2);
  BOOST_TEST(run_command({"sim", "run", "--trace", inputs.folder.file("none.csv"), "--format", "azure"}).status == 1);
}

BOOST_AUTO_TEST_SUITE_END()
