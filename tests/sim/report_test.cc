#include "sim/report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <regex>

#include "sim/report_charts.h"
#include "sim/report_text.h"
#include "tests/sim/sample_run.h"
#include "tests/sim/test_folder.h"

using namespace spillway;
using namespace spillway::sim;

namespace {

std::vector<Run> three_runs() {
  return {test::sample_run(1, "no moves"), test::sample_run(2, "recompute"), test::sample_run(3, "moves, <fast>")};
}

/// The text between `open` and the next `close` behind it.
std::string between(const std::string& text, const std::string& open, const std::string& close) {
  const auto at = text.find(open);
  BOOST_REQUIRE(at != std::string::npos);
  const auto end = text.find(close, at + open.size());
  BOOST_REQUIRE(end != std::string::npos);
  return text.substr(at + open.size(), end - at - open.size());
}

/// Elements that are open at the end, or closed out of order; style and script are skipped.
std::vector<std::string> unbalanced(std::string html) {
  html = std::regex_replace(html, std::regex("<(style|script)[^]*?</\\1>"), "");
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z0-9]+)[^<>]*>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2];
    if (name == "meta" || name == "link") continue;
    if ((*it)[1].length() == 0) open.push_back(name);
    else if (!open.empty() && open.back() == name) open.pop_back();
    else return {"/" + name};
  }
  return open;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(report)

BOOST_AUTO_TEST_CASE(the_page_is_whole_and_names_nothing_outside_itself) {
  for (const auto& runs : {three_runs(), std::vector<Run>{test::sample_run(1, "measured")}, std::vector<Run>{Run{}}}) {
    const auto html = report_html(runs, {.title = "Final <& more>", .subtitle = "a \"rehearsal\"", .metrics = {}});
    BOOST_TEST(html.starts_with("<!doctype html>"));
    for (const char* outside : {"http:", "https:", "//cdn", "src=", "@import", "url(", "fetch(", "XMLHttp", "import("})
      BOOST_TEST(html.find(outside) == std::string::npos, outside);
    const auto href = between(html, "href=\"", "\"");
    BOOST_TEST(href == "data:,");
    BOOST_TEST(html.find("href=", html.find("href=") + 1) == std::string::npos);
    BOOST_TEST(unbalanced(html).empty(), (unbalanced(html).empty() ? "" : unbalanced(html).back()));
    BOOST_TEST(html.find("<fast>") == std::string::npos);
    BOOST_TEST(html.find("Final &lt;&amp; more&gt;") != std::string::npos);
    BOOST_TEST(html.find("prefers-color-scheme: dark") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_plots_a_person_looks_at_first_are_there) {
  const auto html = report_html(three_runs(), {});
  const auto charts = boost::json::parse(between(html, "id=\"charts\">", "</script>")).as_array();
  std::vector<std::string> titles;
  for (const auto& chart : charts) {
    titles.emplace_back(chart.at("title").as_string());
    BOOST_TEST(!chart.at("series").as_array().empty(), titles.back());
    for (const auto& series : chart.at("series").as_array()) {
      BOOST_TEST(series.at("name").as_string() != "");
      if (chart.at("kind").as_string() == "bars") continue;
      const auto& x = series.at("x").as_array();
      BOOST_TEST(x.size() == series.at("y").as_array().size());
      BOOST_TEST(x.size() < 400U);
      for (std::size_t i = 1; i < x.size(); ++i) BOOST_REQUIRE(x[i].to_number<double>() >= x[i - 1].to_number<double>());
    }
  }
  for (const char* wanted : {"Load", "Queued", "Running", "Time to first token", "Time per output token", "Captions on time", "Goodput",
                             "Price of 1,000 good requests", "Moves", "Bytes moved", "Captions on time", "TTFT P99"})
    BOOST_TEST((std::find(titles.begin(), titles.end(), wanted) != titles.end()), wanted);
  BOOST_TEST(lines_of(html) > 50U);
}

BOOST_AUTO_TEST_CASE(the_same_runs_give_the_same_bytes_and_other_runs_others) {
  const ReportOptions options{.title = "t", .subtitle = "s", .metrics = {.warm_up_ns = 1'000'000'000}};
  const test::TestFolder folder;
  BOOST_REQUIRE(write_report(folder.file("a"), three_runs(), options));
  BOOST_REQUIRE(write_report(folder.file("b"), three_runs(), options));
  auto other = three_runs();
  auto& changed = other[1].records;
  const auto finished = std::find_if(changed.begin(), changed.end(),
                                     [](const auto& r) { return r.outcome == RequestOutcome::finished && r.arrival_ns > 1'000'000'000; });
  BOOST_REQUIRE((finished != changed.end()));
  finished->end_ns += 100'000'000;
  BOOST_REQUIRE(write_report(folder.file("c"), other, options));
  for (const char* file : {"report.html", "summary.csv", "requests.csv", "series.csv", "distributions.csv"}) {
    const auto a = folder.read(std::string("a/") + file);
    BOOST_TEST(a.size() > 100U, file);
    BOOST_TEST((a == folder.read(std::string("b/") + file)), file);
    const bool knows_requests = std::string(file) != "series.csv";
    BOOST_TEST((a != folder.read(std::string("c/") + file)) == knows_requests, file);
  }
  BOOST_TEST(!std::filesystem::exists(folder.file("a/report.html.part")));
}

BOOST_AUTO_TEST_CASE(csv_has_a_line_for_each_thing) {
  const auto runs = three_runs();
  BOOST_TEST(lines_of(requests_csv(runs)) == 1 + 3 * 600U);
  BOOST_TEST(lines_of(series_csv(runs)) == 1 + runs[0].series.size() + runs[1].series.size() + runs[2].series.size());
  const auto summary = summary_csv(runs, {});
  BOOST_TEST(summary.starts_with("metric,unit,no moves,recompute,\"moves, <fast>\",formula\nrequests,,600,600,600,"));
  BOOST_TEST(lines_of(summary) == 1 + metric_definitions().size());
  BOOST_TEST(requests_csv(runs).find("\"sport <&\"\"news\"\">, live\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_late_sender_and_the_warm_up_are_told) {
  std::vector<Run> runs{test::sample_run(1, "measured")};
  for (auto& r : runs[0].records)
    r.sent_ns += 20'000'000, r.first_token_ns += r.first_token_ns == never_ns ? 0 : 20'000'000, r.end_ns += 20'000'000;
  const auto html = report_html(runs, {.title = "t", .subtitle = "", .metrics = {.warm_up_ns = 5'000'000'000}});
  BOOST_TEST(html.find("class=\"warning\">Invalid: the P99 send lag of 2") != std::string::npos);
  BOOST_TEST(html.find("requests of the warm-up of 5 s") != std::string::npos);
  BOOST_TEST(html.find("3 x queue_full: the queue of every replica is full &lt;/script&gt;") != std::string::npos);
}

/// SPILLWAY_REPORT_DIR=DIR: leaves reports there, for a look in a browser.
BOOST_AUTO_TEST_CASE(pages_to_look_at) {
  const char* folder = std::getenv("SPILLWAY_REPORT_DIR");
  if (folder == nullptr) return;
  BOOST_TEST(
      bool(write_report(std::string(folder) + "/three", three_runs(), {.title = "Three policies", .subtitle = "made up", .metrics = {}})));
  BOOST_TEST(bool(write_report(std::string(folder) + "/one", std::vector<Run>{test::sample_run(1, "measured")},
                               {.title = "One run", .subtitle = "made up", .metrics = {.warm_up_ns = 5'000'000'000}})));
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_an_error_that_names_it) {
  const test::TestFolder folder;
  folder.write("file", "x");
  const auto done = write_report(folder.file("file/below"), three_runs(), {});
  BOOST_REQUIRE(!done);
  BOOST_TEST((done.error().code == core::Errc::io));
  BOOST_TEST(done.error().message.find("file/below") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(intervals_are_round_and_not_too_many) {
  for (std::int64_t span = 1; span < std::int64_t{1} << 50U; span = span * 3 + 1) {
    const auto width = interval_ns(span);
    BOOST_TEST(width >= 100'000'000);
    BOOST_TEST(span / width <= 100);
  }
  BOOST_TEST(interval_ns(60'000'000'000) == 1'000'000'000);
}

BOOST_AUTO_TEST_CASE(numbers_are_written_for_people_and_for_programs) {
  BOOST_TEST(short_text(1234567.8) == "1,234,568");
  BOOST_TEST(short_text(-1234) == "-1,234");
  BOOST_TEST(short_text(12.34) == "12.3");
  BOOST_TEST(short_text(0.12345) == "0.123");
  BOOST_TEST(short_text(5) == "5");
  BOOST_TEST(short_text(0.0 / 0.0) == "-");
  BOOST_TEST(number_json(1.0 / 0.0) == "null");
  BOOST_TEST(number_json(0.1) == "0.1");
  BOOST_TEST(number_json(123456789) == "123456789");
  BOOST_TEST(csv_text("a\"b") == "\"a\"\"b\"");
}

BOOST_AUTO_TEST_SUITE_END()
