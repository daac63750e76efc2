#include "decisions/replay.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>

#include "tests/decisions/memory_log.h"

namespace spillway::decisions::test {

namespace bdata = boost::unit_test::data;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const core::NodeId self = core::node_id("red");
const core::NodeId a{100};
const core::NodeId b{200};
const core::ModelId model = core::model_id("m");

core::Report report_of(core::NodeId node) {
  core::Report report;
  report.node = node;
  report.number = 1;
  report.roles = 2;
  core::ReplicaReport& replica = report.replicas.emplace_back();
  replica.model = model;
  replica.features = core::known_features;
  replica.weights_digest = {4, 4};
  replica.context_max = 200;
  replica.ready = true;
  replica.blocks_total = replica.blocks_free = 50;
  replica.step_base = milliseconds(10);
  replica.step_row = milliseconds(1);
  return report;
}

/// A router that owns one stream for a while. The numbers of its decisions stand beside them.
struct OneStream {
  std::shared_ptr<MemoryLog> log;
  sched::RouterCore core;
  std::unique_ptr<Recorder<sched::RouterCore>> recorder;
  sched::RouterCore::Actions out;
  Instant now{seconds(10)};

  static RouterStart start() { return {self, "red", {7}, {}}; }
  template <class Call, class... A>
  void take(const A&... arguments) {
    decisions::take<Call>(recorder, core, now, out, arguments...);
    now += milliseconds(1);
  }

  explicit OneStream(bool answers)
      : log(std::make_shared<MemoryLog>(head_of_tests(answers))), core(start().make()), recorder(record<sched::RouterCore>(log, start())) {
    take<router::ExpectNode>(a, std::string("a"));          // 1
    take<router::ExpectNode>(b, std::string("b"));          // 2
    take<router::PeerUp>(a, core::Incarnation{1});          // 3
    take<router::Message>(a, core::Message(report_of(a)));  // 4
    take<router::PeerUp>(b, core::Incarnation{1});          // 5
    take<router::Message>(b, core::Message(report_of(b)));  // 6
    sched::RouterCore::Admit admit;
    admit.client = {1};
    admit.tenant_name = "t";
    admit.request = std::make_shared<core::Request>();
    admit.request->key = {core::tenant_id("t"), {{1, 1}}};
    admit.request->model = model;
    admit.request->prompt = std::vector<core::TokenId>(40, 5);
    admit.request->tokens_max = 20;
    admit.deadline = seconds(20);
    take<router::Admit>(admit);  // 7
    core::Run run;
    for (const auto& action : out) {
      const auto* post = std::get_if<sched::RouterCore::Post>(&action);
      if (post != nullptr && std::holds_alternative<core::Run>(*post->message)) run = std::get<core::Run>(*post->message);
    }
    BOOST_REQUIRE((run.replica.node == a));  // ties go to the lower id
    take<router::Message>(a, core::Message(core::RunAccepted{run.key, run.epoch, run.replica, 1, 16, false, 0, 0}));  // 8
    core::TokenRun tokens{run.key, run.epoch, 0, 0, {}};
    tokens.tokens.emplace_back().token = 9;
    take<router::Message>(a, core::Message(core::Tokens{run.replica, {tokens}}));  // 9
    take<router::Tick>();                                                          // 10
    take<router::Cancel>(sched::ClientRef{1}, run.key);                            // 11
    take<router::Report>();                                                        // 12
  }
};
constexpr std::uint64_t decisions_of_one_stream = 12;

struct Change {
  const char* name;  // the rule
  std::function<void(OpenLog&)> change;
  std::uint64_t decision;  // where it is to show
  const char* event;
  const char* line;  // part of what is expected or came
  friend std::ostream& operator<<(std::ostream& out, const Change& c) { return out << c.name; }
};

const Change changes[] = {
    {"a report field that decides placement shows when the stream is placed",
     [](OpenLog& log) {
       log.change<router::Message>(
           4, [](auto&, auto& arguments, auto&) { std::get<core::Report>(std::get<core::Message>(arguments)).replicas[0].ready = false; });
     },
     7, "admit", "Post.to = 200"},
    {"a coefficient of the step time shows when a deadline is judged",
     [](OpenLog& log) {
       for (const std::uint64_t report : {4, 6}) {
         log.change<router::Message>(report, [](auto&, auto& arguments, auto&) {
           std::get<core::Report>(std::get<core::Message>(arguments)).replicas[0].step_row = seconds(30);
         });
       }
     },
     7, "admit", "Failed"},
    {"a limit that the router was made with shows when it is met",
     [](OpenLog& log) { log.change_start<RouterStart>([](auto& start) { start.limits.streams_max = 0; }); }, 7, "admit", "Failed"},
    {"another epoch in an answer shows at once",
     [](OpenLog& log) {
       log.change<router::Message>(
           8, [](auto&, auto& arguments, auto&) { ++std::get<core::RunAccepted>(std::get<core::Message>(arguments)).epoch.counter; });
     },
     8, "message RunAccepted", "CancelRun"},
    {"another token shows where it is told to the client",
     [](OpenLog& log) {
       log.change<router::Message>(9, [](auto&, auto& arguments, auto&) {
         std::get<core::Tokens>(std::get<core::Message>(arguments)).runs[0].tokens[0].token = 8;
       });
     },
     9, "message Tokens", "tokens[0].token = 8"},
    {"another instant shows where something was due by then",
     [](OpenLog& log) { log.change<router::Tick>(10, [](auto& at, auto&, auto&) { at += seconds(25); }); }, 10, "tick",
     "ToClient Finished"},
    {"another client of a cancel shows at once",
     [](OpenLog& log) {
       log.change<router::Cancel>(11, [](auto&, auto& arguments, auto&) { std::get<sched::ClientRef>(arguments) = {2}; });
     },
     11, "cancel", "0 actions"},
    {"another answer in the log shows where it is",
     [](OpenLog& log) { log.change<router::Report>(12, [](auto&, auto&, auto& answer) { ++answer.digest.hi; }); }, 12, "report",
     "0 actions"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(replay_logs)

BOOST_AUTO_TEST_CASE(what_happened_comes_out_equal) {
  for (const bool answers : {false, true}) {
    OneStream played(answers);
    const auto replayed = replay_bytes(played.log->finish());
    BOOST_REQUIRE_MESSAGE(replayed, (replayed ? "" : replayed.error().message));
    BOOST_TEST(replayed->decisions == decisions_of_one_stream);
    BOOST_TEST(replayed->equal == decisions_of_one_stream);
    BOOST_TEST(!replayed->first_difference);
    BOOST_TEST(replayed->notes.empty());
  }
}

BOOST_DATA_TEST_CASE(a_change_is_reported_at_its_decision, bdata::make(changes), c) {
  for (const bool answers : {false, true}) {
    OneStream played(answers);
    OpenLog log(played.log->finish());
    c.change(log);
    const auto replayed = replay_bytes(log.closed());
    BOOST_REQUIRE_MESSAGE(replayed, (replayed ? "" : replayed.error().message));
    BOOST_REQUIRE(replayed->first_difference);
    const Difference& first = *replayed->first_difference;
    BOOST_TEST_MESSAGE(first.decision.number << " " << first.decision.core << " " << first.decision.event << "\n  expected "
                                             << first.expected << "\n  came     " << first.came);
    BOOST_TEST(first.decision.file == "red.slog");
    BOOST_TEST(first.decision.number == c.decision);
    BOOST_TEST(first.decision.core == "router");
    BOOST_TEST(first.decision.event == c.event);
    BOOST_TEST(first.expected != first.came);
    BOOST_TEST(replayed->decisions == decisions_of_one_stream);
    BOOST_TEST(replayed->equal == c.decision - 1);
    if (answers) BOOST_TEST((first.expected + first.came).find(c.line) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_log_cut_anywhere_is_taken_again_as_far_as_it_goes) {
  OneStream played(false);
  const core::ByteVector& log = played.log->finish();
  std::uint64_t most = 0;
  for (std::size_t size = 0; size < log.size(); ++size) {
    const auto replayed = replay_bytes(core::ByteVector(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(size)));
    if (!replayed) {
      BOOST_TEST(replayed.error().message.starts_with("red.slog, byte 0: "));
      BOOST_TEST(most == 0U);
      continue;
    }
    BOOST_TEST(replayed->equal == replayed->decisions);
    BOOST_TEST(replayed->decisions >= most);
    BOOST_REQUIRE(replayed->notes.size() == 1U);
    BOOST_TEST(replayed->notes[0].find("cut off at byte") != std::string::npos);
    most = replayed->decisions;
  }
  BOOST_TEST(most == decisions_of_one_stream);
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_is_refused) {
  OneStream played(false);
  const core::ByteVector& log = played.log->finish();
  for (std::size_t at = 0; at < log.size(); ++at) {
    core::ByteVector other = log;
    other[at] ^= static_cast<std::byte>(1 << at % 8);
    const auto replayed = replay_bytes(other);
    BOOST_TEST(!replayed, "byte " << at);
    if (!replayed) BOOST_TEST(replayed.error().message.starts_with("red.slog, byte "));
  }
}

BOOST_AUTO_TEST_CASE(records_that_no_core_could_have_written_are_refused_with_their_offset) {
  OneStream played(false);
  const OpenLog log(played.log->finish());
  const auto refused = [&](const std::function<void(OpenLog&)>& change) {
    OpenLog other = log;
    change(other);
    const auto replayed = replay_bytes(other.closed());
    BOOST_REQUIRE(!replayed);
    BOOST_TEST(replayed.error().message.starts_with("red.slog, byte "));
    return replayed.error().message;
  };
  const auto has = [](const std::string& text, const std::string& part) { BOOST_TEST(text.find(part) != std::string::npos, text); };
  has(refused([](OpenLog& l) { l.decision(7).resize(40); }), "admit");
  has(refused([](OpenLog& l) { l.decision(7).push_back(std::byte{0}); }), "bytes behind the answer");
  has(refused([](OpenLog& l) { l.decision(3)[1] = std::byte{9}; }), "has not started");
  has(refused([](OpenLog& l) { l.decision(3)[2] = std::byte{99}; }), "event 99 is unknown");
  has(refused([](OpenLog& l) { l.decision(3)[0] = std::byte{7}; }), "unknown kind");
  has(refused([](OpenLog& l) { l.records.push_back(l.records[0]); }), "starts twice");
  BatcherStart large;
  large.info.blocks = core::no_block;
  core::ByteVector start;
  Packer(start).put(RecordKind::start), Packer(start).number(5), Packer(start).put(AnyStart{large});
  has(refused([&](OpenLog& l) { l.records.push_back(start); }), "blocks");
}

BOOST_AUTO_TEST_CASE(the_watch_is_told_of_each_decision_before_it_is_taken) {
  OneStream played(false);
  std::vector<std::string> seen;
  const auto replayed = replay_bytes(played.log->finish(), [&](const Decision& decision, const Replayed& so_far) {
    BOOST_TEST(decision.number == so_far.decisions + 1);
    seen.push_back(decision.core + " " + decision.event);
  });
  BOOST_REQUIRE(replayed);
  BOOST_TEST(seen.size() == decisions_of_one_stream);
  BOOST_TEST(seen[3] == "router message Report");
  BOOST_TEST(seen[9] == "router tick");
}

BOOST_AUTO_TEST_CASE(a_path_that_holds_no_log_is_refused_by_name) {
  const auto none = replay(std::filesystem::path("/nowhere/x.slog"));
  BOOST_REQUIRE(!none);
  BOOST_TEST(none.error().message.find("/nowhere/x.slog") != std::string::npos);
  const auto empty = replay(std::filesystem::path(SPILLWAY_SOURCE_DIR "/decisions"));
  BOOST_REQUIRE(!empty);
  BOOST_TEST(empty.error().message.find("no decision log") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions::test
