// `spillway load` against three real nodes: nothing that was sent is lost from the books, whatever happens meanwhile.

#include <signal.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

const char* const outcomes[] = {"completed", "refused", "expired", "cancelled", "superseded", "failed"};

struct Fixture {
  std::vector<std::string> names{"red", "green", "blue"};
  int port = free_ports(3);
  UpProcess cluster{cluster_toml(names, port, "paced", "kind = \"paced\"\n[models.paced.paced]\nstep_us = 10000\n", "kv_blocks = 1024",
                                 "[tenants.captions]\n[tenants.chat]\n"),
                    names, port};
  TempFolder folder;
  Fixture() { BOOST_REQUIRE(cluster.wait_ready()); }

  std::string write(const std::string& text) const {
    const auto file = (folder / "workload.jsonl").string();
    std::ofstream{file} << text;
    return file;
  }
  std::vector<std::string> words(const std::string& file, std::vector<std::string> more) const {
    std::vector<std::string> all{spillway_binary(), "load", file, "--config", cluster.config(), "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

/// `count` requests of chat, `gap_ms` apart, that share two blocks of their prompt.
std::string chat(int count, int gap_ms, int output) {
  std::ostringstream out;
  for (int i = 0; i < count; ++i) {
    out << "{\"arrival_ns\":" << static_cast<long long>(i) * gap_ms * 1000000 << ",\"input_tokens\":50,\"output_tokens\":" << output
        << ",\"tenant\":\"chat\",\"block_tokens\":16,\"blocks\":[1,2," << 100 + i << "]}\n";
  }
  return out.str();
}

std::int64_t sum_of_outcomes(const json::object& told) {
  std::int64_t sum = 0;
  for (const char* outcome : outcomes) sum += told.at(outcome).as_int64();
  return sum;
}

std::size_t lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  return lines;
}

json::object told_by(const Ran& ran) {
  BOOST_REQUIRE_MESSAGE(ran.out.starts_with("{"), ran.err);
  return json::parse(ran.out).as_object();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(load, Fixture)

BOOST_AUTO_TEST_CASE(every_request_is_in_the_books_and_prefixes_are_shared) {
  const auto report = folder / "report";
  const auto ran =
      run(words(write(chat(100, 20, 10)), {"--goodput", "ttft:60000", "live.ttft:1", "--warm-up", "0.4", "--report", report.string()}));
  BOOST_REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const auto told = told_by(ran);
  BOOST_TEST(told.at("requests").as_int64() == 80);
  BOOST_TEST(told.at("warm_up_cut").as_int64() == 20);
  BOOST_TEST(told.at("completed").as_int64() == 80);
  BOOST_TEST(sum_of_outcomes(told) == 80);
  BOOST_TEST(told.at("good").as_int64() == 80);
  BOOST_TEST(told.at("prompt_tokens").as_int64() == 80 * 50);
  BOOST_TEST(told.at("output_tokens").as_int64() == 80 * 10);
  BOOST_TEST(told.at("cached_tokens").as_int64() > 80 * 16);  // of 32 that are shared
  BOOST_TEST(told.at("send_lag_ms").at("p99").to_number<double>() > 0);
  BOOST_TEST(told.at("valid").as_bool() == (told.at("send_lag_ms").at("p99").to_number<double>() <= 10));
  BOOST_TEST(told.at("ttft_ms").at("p50").to_number<double>() > 5);  // a step of ten
  BOOST_TEST(told.at("tpot_ms").at("p50").to_number<double>() > 5);  // as long
  BOOST_TEST(told.at("itl_ms").at("p50").to_number<double>() > 1);
  BOOST_TEST(told.at("span_seconds").to_number<double>() > 1.5);  // the workload's time, not the cluster's
  BOOST_TEST(lines_of(report / "requests.csv") == 101U);
  BOOST_TEST(lines_of(report / "series.csv") > 4U);  // nodes and the whole, at least once
  BOOST_TEST(std::filesystem::file_size(report / "report.html") > 10000U);
}

BOOST_AUTO_TEST_CASE(the_newest_caption_of_a_channel_wins_and_deadlines_expire) {
  std::ostringstream out;
  // Twenty captions a channel, each longer than the time to the next one; the last one finishes.
  for (int i = 0; i < 20; ++i) {
    for (int channel = 1; channel <= 2; ++channel) {
      out << "{\"arrival_ns\":" << i * 100'000'000LL
          << ",\"input_tokens\":30,\"output_tokens\":30,\"tenant\":\"captions\",\"class\":\"live\","
          << "\"session\":" << channel << ",\"deadline_ns\":20000000000";
      if (i > 0) out << ",\"parent\":" << 2 * (i - 1) + channel - 1 << ",\"supersedes\":true";
      out << "}\n";
    }
  }
  const auto ran = run(words(write(out.str()), {"--duration", "10"}));
  BOOST_REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const auto told = told_by(ran);
  BOOST_TEST(sum_of_outcomes(told) == 40);
  BOOST_TEST(told.at("superseded").as_int64() == 38);
  BOOST_TEST(told.at("completed").as_int64() == 2);
  BOOST_TEST(told.at("captions_on_time_percent").to_number<double>() == 5);
  BOOST_TEST(told.at("classes").at("live").at("requests").as_int64() == 40);
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_costs_restarts_and_no_request) {
  const auto all = words(write(chat(150, 20, 60)), {});
  auto running = std::async(std::launch::async, [&all] { return run(all); });
  // Under way, and away from the router that owns the streams.
  auto client = cluster.client(0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  bool hit = false;
  while (!hit && std::chrono::steady_clock::now() < until) {
    const auto status = client.status();
    if (!status) continue;
    hit = std::count_if(status->streams.begin(), status->streams.end(), [](const auto& s) { return s.node == "blue"; }) >= 3;
    if (!hit) std::this_thread::sleep_for(milliseconds(20));
  }
  BOOST_REQUIRE(hit);
  BOOST_REQUIRE(::kill(cluster.nodes().at("blue"), SIGKILL) == 0);
  const auto ran = running.get();
  BOOST_REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const auto told = told_by(ran);
  BOOST_TEST(told.at("requests").as_int64() == 150);
  BOOST_TEST(sum_of_outcomes(told) == 150);
  BOOST_TEST(told.at("completed").as_int64() == 150);
  BOOST_TEST(told.at("failed").as_int64() == 0);
  BOOST_TEST(told.at("preemptions").as_int64() > 0);
}

BOOST_AUTO_TEST_CASE(an_interrupted_run_reports_what_ran) {
  auto all = words(write(chat(3000, 20, 10)), {});
  all.insert(all.begin(), {"/usr/bin/timeout", "--foreground", "--preserve-status", "-s", "INT", "2"});
  const auto ran = run(all);
  BOOST_TEST(ran.code == 130, ran.err);
  const auto told = told_by(ran);
  BOOST_TEST(told.at("requests").as_int64() > 5);
  BOOST_TEST(told.at("requests").as_int64() < 200);
  BOOST_TEST(told.at("completed").as_int64() == told.at("requests").as_int64());  // what was sent was waited for
  BOOST_TEST(ran.out.find("requests were not sent") != std::string::npos);
  BOOST_TEST(ran.err.find("interrupted: waiting for ") != std::string::npos, ran.err);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_cluster_that_is_not_there_is_an_error_and_nothing_is_sent) {
  const TempFolder folder;
  const auto cluster = (folder / "cluster.toml").string();
  const auto workload = (folder / "workload.jsonl").string();
  std::ofstream{cluster} << cluster_toml({"red"}, free_ports(1), "paced", "kind = \"paced\"\n", "kv_blocks = 64", "[tenants.chat]\n");
  std::ofstream{workload} << chat(1, 0, 1);
  const auto ran = run({spillway_binary(), "load", workload, "--config", cluster, "--json"});
  BOOST_TEST(ran.code == 1);
  BOOST_TEST(ran.out == "");
  BOOST_TEST(ran.err.find("nobody listens") != std::string::npos, ran.err);
}

}  // namespace spillway::tests
