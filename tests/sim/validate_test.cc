#include "sim/validate.h"

#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <sstream>

#include "sim/text.h"
#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;
namespace json = boost::json;

namespace {

ValidateOptions options_of(const TinyProfile& folder) {
  ValidateOptions options;
  options.folder = folder.path();
  options.workload = folder.workload();
  options.layers = 2;
  return options;
}

Validation run(const ValidateOptions& options) {
  auto done = validate(options);
  BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message));
  return *done;
}

bool equal(const Summary& a, const Summary& b) {
  return a.mean == b.mean && a.p50 == b.p50 && a.p90 == b.p90 && a.p99 == b.p99;
}

bool equal(const LatencyFigures& a, const LatencyFigures& b) {
  return equal(a.ttft_ms, b.ttft_ms) && equal(a.tpot_ms, b.tpot_ms) && equal(a.e2e_ms, b.e2e_ms);
}

bool same_simulation(const Validation& a, const Validation& b) {
  return equal(a.sim, b.sim) && a.preemptions == b.preemptions && a.steps == b.steps;
}

/// Every number behind "key": in every line, changed.
std::string with_numbers(const std::string& text, const std::string& key, const std::function<double(double)>& change) {
  std::string result;
  std::string_view rest = text;
  const std::string mark = "\"" + key + "\": ";
  for (auto at = rest.find(mark); at != std::string_view::npos; at = rest.find(mark)) {
    const auto begin = at + mark.size();
    const auto end = rest.find_first_of(",}", begin);
    std::ostringstream number;
    number.precision(17);
    number << change(parse_number(rest.substr(begin, end - begin)).value());
    result += std::string(rest.substr(0, begin)) + number.str();
    rest.remove_prefix(end);
  }
  return result + std::string(rest);
}

/// dense.csv with all times times 1.5.
std::string slower(const std::string& csv) {
  std::istringstream in(csv);
  std::ostringstream out;
  std::string line;
  std::getline(in, line);
  out << line << '\n';
  while (std::getline(in, line)) {
    const auto comma = line.rfind(',');
    out << line.substr(0, comma + 1) << parse_number(trimmed(line).substr(comma + 1)).value() * 1.5 << '\n';
  }
  return out.str();
}

struct WrongCase {
  const char* name;
  const char* file;  // is removed
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"no workload", "workload.jsonl", "workload.jsonl: cannot be opened"},
    {"no real run", "vllm-requests.jsonl", "vllm-requests.jsonl: cannot be opened"},
    {"no number of blocks", "vllm-meta.json", "vllm-meta.json: is not there: want it, or --kv-blocks N"},
    {"no tables", "dense.csv", "dense.csv: cannot be opened"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_runs)

BOOST_AUTO_TEST_CASE(the_figures_of_a_run_worked_out_by_hand) {
  const TinyProfile folder;
  const auto done = run(options_of(folder));
  // The first is alone for 939 us and for its decode at context 33, 339.5 us. The second came after 1 ms: its prompt, whose first
  // block is known, runs beside the first one's decode at 34; then its own decode. The third is alone.
  const double beside = 0.939 + 0.3395 + (18 * 27 + 2 * (2 + 16 + 8 + 3 + 8.5) + 125) / 1000;
  const double last = beside + (18 * 11 + 2 * (2 + 3 + 8.25) + 115) / 1000;
  BOOST_TEST(done.sim.ttft_ms.mean == (0.939 + (beside - 1) + 0.939) / 3, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(done.sim.e2e_ms.mean == (beside + (last - 1) + 0.939) / 3, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(done.real.ttft_ms.mean == 2000.0 / 3, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(done.steps == 5U);
  BOOST_TEST(done.preemptions == 0U);
  BOOST_TEST(done.doubts.empty());
}

BOOST_AUTO_TEST_CASE(of_the_real_run_the_simulation_takes_the_arrivals_alone) {
  const TinyProfile folder;
  const auto before = run(options_of(folder));
  auto text = folder.read("vllm-requests.jsonl");
  text = with_numbers(text, "scheduled_ts", [](double x) { return x + 55; });
  text = with_numbers(text, "first_token_ts", [](double x) { return x + 7; });
  text = with_numbers(text, "last_token_ts", [](double x) { return x * 2; });
  folder.write("vllm-requests.jsonl", text);
  const auto after = run(options_of(folder));
  BOOST_TEST(same_simulation(before, after));
  BOOST_TEST(!equal(before.real, after.real));
  BOOST_TEST(before.e2e_mape_percent != after.e2e_mape_percent);
  folder.write("vllm-requests.jsonl", with_numbers(text, "queued_ts", [](double x) { return x * 1.00001; }));
  BOOST_TEST(!same_simulation(before, run(options_of(folder))));
}

BOOST_AUTO_TEST_CASE(slower_tables_make_a_slower_run) {
  const TinyProfile folder;
  const auto before = run(options_of(folder));
  folder.write("dense.csv", slower(folder.read("dense.csv")));
  const auto after = run(options_of(folder));
  BOOST_TEST(after.sim.e2e_ms.mean >= 1.1 * before.sim.e2e_ms.mean);
  BOOST_TEST(equal(after.real, before.real));
}

BOOST_AUTO_TEST_CASE(flags_reach_the_simulation) {
  const TinyProfile folder;
  const auto before = run(options_of(folder));
  auto options = options_of(folder);
  options.layers = 4;
  BOOST_TEST(run(options).sim.e2e_ms.mean > before.sim.e2e_ms.mean);
  options = options_of(folder);
  options.engine.no_prefix_cache = true;
  BOOST_TEST(run(options).sim.e2e_ms.mean > before.sim.e2e_ms.mean);
  options = options_of(folder);
  options.engine.step_tokens_max = 10;
  BOOST_TEST(run(options).steps > before.steps);
  options = options_of(folder);
  options.engine.kv_blocks = 2;
  const auto refused = validate(options);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(says(refused.error(), folder.workload() + ":1:", "need 3 KV blocks: want at most 2"));
}

BOOST_AUTO_TEST_CASE(the_json_has_its_keys_and_the_same_bytes_each_time) {
  const TinyProfile folder;
  const auto text = to_json(run(options_of(folder)));
  BOOST_TEST(text == to_json(run(options_of(folder))));
  const auto object = json::parse(text).as_object();
  std::vector<std::string> keys;
  for (const auto& entry : object) keys.emplace_back(entry.key());
  BOOST_TEST((keys == std::vector<std::string>{"ttft_ms", "tpot_ms", "e2e_ms", "e2e_mape_percent", "preemptions", "steps"}));
  for (const char* measure : {"ttft_ms", "tpot_ms", "e2e_ms"}) {
    const auto& of_measure = object.at(measure).as_object();
    BOOST_TEST(of_measure.size() == 4U);
    for (const char* statistic : {"mean", "p50", "p90", "p99"}) {
      const auto& one = of_measure.at(statistic).as_object();
      BOOST_TEST(one.size() == 3U);
      const double real = one.at("real").to_number<double>();
      const double sim = one.at("sim").to_number<double>();
      BOOST_TEST(one.at("diff_percent").to_number<double>() == 100 * (sim - real) / real, boost::test_tools::tolerance(1e-9));
    }
  }
  BOOST_TEST(object.at("steps").to_number<int>() == 5);
}

BOOST_AUTO_TEST_CASE(the_table_says_the_same_to_people) {
  const TinyProfile folder;
  const auto text = to_table(run(options_of(folder)));
  BOOST_TEST(text.find("ttft_ms  mean    666.67") != std::string::npos);
  BOOST_TEST(text.find("simulated: 5 steps, 0 preemptions\n") != std::string::npos);
}

BOOST_DATA_TEST_CASE(a_missing_file_is_named, bdata::make(wrong_cases), c) {
  const TinyProfile folder;
  folder.remove(c.file);
  const auto done = validate(options_of(folder));
  BOOST_REQUIRE(!done.has_value());
  BOOST_TEST(says(done.error(), folder.path(), c.says));
}

BOOST_AUTO_TEST_CASE(a_run_of_vllm_on_a_card_is_met_within_two_percent) {
  const auto folder = shared_path("data/profiles/llmservingsim/RTX4090");
  const auto workload = shared_path("data/profiles/llmservingsim/sharegpt-300-sps10-lengths-hashes.jsonl");
  if (folder.empty() || workload.empty()) {
    BOOST_TEST_MESSAGE("the shared run of vLLM is not there: nothing held against it");
    return;
  }
  ValidateOptions options;
  options.folder = folder;
  options.workload = workload;
  const auto done = run(options);
  const auto within = [](const char* what, const Summary& real, const Summary& sim) {
    const double diff = diff_percent(real.mean, sim.mean);
    BOOST_TEST_MESSAGE("shared run of vLLM: mean " << what << " " << diff << " %");
    BOOST_TEST(diff > -2);
    BOOST_TEST(diff < 2);
  };
  within("ttft", done.real.ttft_ms, done.sim.ttft_ms);
  within("tpot", done.real.tpot_ms, done.sim.tpot_ms);
  within("e2e", done.real.e2e_ms, done.sim.e2e_ms);
  BOOST_TEST_MESSAGE("shared run of vLLM: e2e per request " << done.e2e_mape_percent << " %, " << done.preemptions << " preemptions, "
                                                            << done.steps << " steps");
  BOOST_TEST(done.e2e_mape_percent < 2);
  BOOST_TEST(done.preemptions > 100U);

  // The same from tables, workload and arrivals alone; slower with slower tables.
  const TestFolder copy;
  for (const char* name : {"attention.csv", "dense.csv", "per_sequence.csv", "meta.yaml", "vllm-meta.json", "vllm-requests.jsonl"})
    copy.write(name, read_text(folder + "/" + name)->text);
  auto served = copy.read("vllm-requests.jsonl");
  for (const char* key : {"scheduled_ts", "first_token_ts", "last_token_ts"})
    served = with_numbers(served, key, [](double x) { return x + 1000; });
  copy.write("vllm-requests.jsonl", served);
  options.folder = copy.path();
  const auto moved = run(options);
  BOOST_TEST(same_simulation(done, moved));
  BOOST_TEST(!equal(done.real, moved.real));
  copy.write("dense.csv", slower(copy.read("dense.csv")));
  BOOST_TEST(run(options).sim.e2e_ms.mean >= 1.1 * done.sim.e2e_ms.mean);
  options.engine.no_prefix_cache = true;
  options.folder = folder;
  BOOST_TEST(run(options).sim.e2e_ms.mean > done.sim.e2e_ms.mean);
}

BOOST_AUTO_TEST_SUITE_END()
