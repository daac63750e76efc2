#include "app/sim_replay_command.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/app/run_command.h"
#include "tests/decisions/memory_log.h"

namespace spillway::app {

namespace {

namespace call = decisions::batcher;
using decisions::test::MemoryLog;
using decisions::test::OpenLog;

/// A batcher that is made, told that its worker is ready, ticked and asked.
core::ByteVector small_log() {
  const auto log = std::make_shared<MemoryLog>(decisions::test::head_of_tests());
  decisions::BatcherStart start;
  start.self.node = core::node_id("red");
  start.info.blocks = 8;
  start.info.context_max = 64;
  sched::BatcherCore core = start.make();
  const auto recorder = decisions::record<sched::BatcherCore>(log, start);
  sched::BatcherCore::Actions out;
  core::Instant now{std::chrono::seconds(1)};
  decisions::take<call::WorkerReady>(recorder, core, now, out);
  decisions::take<call::Plan>(recorder, core, now, out);
  decisions::take<call::Tick>(recorder, core, now, out);
  decisions::take<call::Report>(recorder, core, now, out, std::uint64_t{1});
  return log->finish();
}

void write(const std::string& file, const core::ByteVector& bytes) {
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Outcome replay(const std::string& log, bool json) {
  std::ostringstream out, errors;
  const int status = sim_replay(log, json, out, errors);
  return {status, out.str(), errors.str()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sim_replay_command)

BOOST_AUTO_TEST_CASE(equal_decisions_are_counted) {
  const TestFolder folder;
  write(folder.file("red.slog"), small_log());
  write(folder.file("blue.slog"), small_log());
  const auto one = run_command({"sim", "replay", folder.file("red.slog"), "--json"});
  BOOST_TEST(one.status == 0);
  BOOST_TEST(one.errors == "");
  BOOST_TEST(one.out == "{\"decisions\":4,\"equal\":4,\"first_difference\":null}\n");
  const auto both = replay(folder.file(""), false);
  BOOST_TEST(both.status == 0);
  BOOST_TEST(both.out == "8 of 8 decisions came out equal\n");
}

BOOST_AUTO_TEST_CASE(the_first_difference_is_named) {
  const TestFolder folder;
  OpenLog log(small_log());
  log.change_start<decisions::BatcherStart>([](auto& start) { start.info.blocks = 9; });
  write(folder.file("red.slog"), log.closed());
  const auto done = replay(folder.file("red.slog"), true);
  BOOST_TEST(done.status == 1);
  const auto result = boost::json::parse(done.out).as_object();
  BOOST_TEST(result.at("decisions").to_number<int>() == 4);
  BOOST_TEST(result.at("equal").to_number<int>() == 3);
  const auto& first = result.at("first_difference").as_object();
  BOOST_TEST(first.at("file").as_string() == folder.file("red.slog"));
  BOOST_TEST(first.at("decision").to_number<int>() == 4);
  BOOST_TEST(first.at("core").as_string() == "batcher 0");
  BOOST_TEST(first.at("event").as_string() == "report");
  BOOST_TEST(first.at("expected") != first.at("came"));
  BOOST_TEST(replay(folder.file("red.slog"), false).out.find("first difference: decision 4 of ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_core_that_stops_is_a_difference_and_not_the_end_of_the_command) {
  const TestFolder folder;
  OpenLog log(small_log());
  // A step that nobody planned has ended: the core asserts that this cannot be.
  core::ByteVector& tick = log.decision(3);
  core::StepResult result;
  result.step = 77;
  result.rows = 3;
  result.sampled.resize(2);
  core::ByteVector made;
  decisions::Packer out(made);
  out.put(decisions::RecordKind::call), out.number(0);
  out.number(decisions::CallsOf<sched::BatcherCore>::number_of<call::StepDone>());
  out.put(core::Instant{std::chrono::seconds(1)});
  out.put(result);
  out.put(decisions::AnswerRecord{});
  tick = made;
  write(folder.file("red.slog"), log.closed());
  const auto done = replay(folder.file("red.slog"), true);
  BOOST_TEST(done.status == 1);
  const auto said = boost::json::parse(done.out).as_object();
  const auto& first = said.at("first_difference").as_object();
  BOOST_TEST(first.at("decision").to_number<int>() == 3);
  BOOST_TEST(first.at("event").as_string() == "step done");
}

BOOST_AUTO_TEST_CASE(any_byte_of_any_record_may_be_another) {
  // With checksums that fit, so that it reaches the cores: a difference, an error, or nothing that matters; never a crash of this.
  const TestFolder folder;
  const OpenLog whole(small_log());
  std::size_t tried = 0;
  for (std::size_t record = 0; record < whole.records.size(); ++record) {
    for (std::size_t at = 0; at < whole.records[record].size(); at += 3) {
      OpenLog log = whole;
      log.records[record][at] ^= static_cast<std::byte>(1 << (at + record) % 8);
      write(folder.file("red.slog"), log.closed());
      const auto done = replay(folder.file("red.slog"), true);
      BOOST_TEST((done.status == 0 || done.status == 1));
      BOOST_TEST((done.out.empty() != done.errors.empty()));
      ++tried;
    }
  }
  BOOST_TEST(tried > 60U);
}

BOOST_AUTO_TEST_CASE(what_is_no_log_is_refused_by_name_and_nothing_is_printed) {
  const TestFolder folder;
  std::ofstream(folder.file("x.slog")) << "hello";
  for (const std::string& path : {folder.file("x.slog"), folder.file("none.slog"), folder.file("")}) {
    const auto done = replay(path, true);
    BOOST_TEST(done.status == 1);
    BOOST_TEST(done.out == "");
    BOOST_TEST(done.errors.find(path) != std::string::npos, done.errors);
  }
  const auto cut = small_log();
  write(folder.file("x.slog"), {cut.begin(), cut.end() - 1});
  const auto done = replay(folder.file("x.slog"), true);
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.errors.find("is cut off at byte") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_log_must_be_named) {
  const auto wrong = run_command({"sim", "replay"});
  BOOST_TEST(wrong.status == 2);
  BOOST_TEST(wrong.errors.find("LOG") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
