#include "app/decision_log_flags.h"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/app/run_command.h"

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(decision_log_flags)

BOOST_AUTO_TEST_CASE(a_folder_that_is_missing_is_made_for_its_owner_alone) {
  const TestFolder folder;
  BOOST_REQUIRE(check({folder.file("a/b"), false}));
  const auto mode = std::filesystem::status(folder.file("a/b")).permissions();
  BOOST_TEST((mode == std::filesystem::perms::owner_all));
  BOOST_TEST(check({folder.file("a/b"), false}).has_value());  // and one that is there is fine
  BOOST_TEST(check({}).has_value());
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_refused_by_name_before_anything_starts) {
  const TestFolder folder;
  std::ofstream(folder.file("file")) << "x";
  const auto refused = check({folder.file("file/logs"), false});
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().message.find("--decision-log " + folder.file("file/logs")) != std::string::npos);
  std::ofstream(folder.file("c.toml")) << "version = 1\n[cluster]\nname = \"t\"\n[models.p]\nkind = \"paced\"\n[[nodes]]\nname = \"a\"\n";
  const auto up = run_command({"up", folder.file("c.toml"), "--decision-log", folder.file("file/logs")});
  BOOST_TEST(up.status == 1);
  BOOST_TEST(up.errors.find("cannot make this folder") != std::string::npos, up.errors);
}

BOOST_AUTO_TEST_CASE(answers_are_logged_in_a_log_alone) {
  const std::vector<std::string> commands[] = {{"up", "c.toml"}, {"node", "c.toml", "--name", "red"}};
  for (auto words : commands) {
    words.emplace_back("--decision-log-answers");
    const auto wrong = run_command(words);
    BOOST_TEST(wrong.status == 2);
    BOOST_TEST(wrong.errors.find("requires --decision-log") != std::string::npos, wrong.errors);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
