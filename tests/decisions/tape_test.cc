#include "decisions/tape.h"

#include <boost/test/unit_test.hpp>

#include "sched/router_core.h"

namespace spillway::decisions {

namespace {

std::string value_at(const Tape& tape, const std::string& path) {
  for (const auto& line : tape) {
    if (line.path == path) return line.value;
  }
  return "no such line";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tape)

BOOST_AUTO_TEST_CASE(kinds_have_their_names) {
  BOOST_TEST(type_name<core::Run>() == "Run");
  BOOST_TEST(type_name<sched::RouterCore::Post>() == "Post");
  BOOST_TEST(type_name<int>() == "int");
}

BOOST_AUTO_TEST_CASE(every_scalar_has_a_line_with_its_path) {
  core::Run run;
  run.epoch.counter = 7;
  run.choices.resize(1);
  run.choices[0].finish = core::FinishReason::length;
  const sched::RouterCore::Actions actions{sched::RouterCore::Post{core::NodeId{3}, core::make_message(run)}};
  Tape tape;
  TapeWriter(tape, "actions").put(actions);
  BOOST_TEST(value_at(tape, "actions.size") == "1");
  BOOST_TEST(value_at(tape, "actions[0]") == "Post");
  BOOST_TEST(value_at(tape, "actions[0].Post.to") == "3");
  BOOST_TEST(value_at(tape, "actions[0].Post.message") == "Run");
  BOOST_TEST(value_at(tape, "actions[0].Post.message.Run.epoch.counter") == "7");
  BOOST_TEST(value_at(tape, "actions[0].Post.message.Run.request") == "none");
  BOOST_TEST(value_at(tape, "actions[0].Post.message.Run.choices[0].finish") == "length");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions
