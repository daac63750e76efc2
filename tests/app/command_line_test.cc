#include "app/command_line.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "tests/app/run_command.h"

namespace bdata = boost::unit_test::data;

namespace spillway::app {

struct WrongUse {
  const char* rule;
  std::vector<std::string> words;
  const char* part;
};
std::ostream& operator<<(std::ostream& out, const WrongUse& value) {
  return out << value.rule;
}

const WrongUse wrong_uses[] = {
    {"nothing at all shows help", {}, "Usage: spillway"},
    {"an unknown command gets a suggestion", {"confg", "check"}, "no command `confg`; did you mean `config`?"},
    {"an unknown command inside another gets a suggestion",
     {"config", "chek"},
     "spillway config: no command `chek`; did you mean `check`?"},
    {"a command far from all is named", {"teleport"}, "no command `teleport`\nsee `spillway --help`"},
    {"a command that needs another says so", {"keys"}, "see `spillway keys --help`"},
    {"an unknown flag gets a suggestion", {"config", "check", "--jsn"}, "did you mean `--json`?"},
    {"an unknown flag with a value gets a suggestion", {"keys", "new", "--ot=x"}, "did you mean `--out`?"},
    {"a missing argument is named", {"keys", "show"}, "FILE is required"},
    {"two commands are one too many", {"version", "version"}, "see `spillway version --help`"},
};

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_DATA_TEST_CASE(wrong_use_is_explained_on_stderr_with_exit_2, bdata::make(wrong_uses), each) {
  const auto done = run_command(each.words);
  BOOST_TEST(done.status == 2);
  BOOST_TEST(done.out == "");
  BOOST_TEST_INFO(done.errors);
  BOOST_TEST((done.errors.find(each.part) != std::string::npos));
}

BOOST_AUTO_TEST_CASE(help_and_version_go_to_stdout) {
  const auto help = run_command({"--help"});
  BOOST_TEST(help.status == 0);
  BOOST_TEST(help.errors == "");
  // Every command of the interface, in the one list.
  for (const auto* name : {"up", "node", "chat", "complete", "status", "drain", "move", "models", "config", "keys", "version"}) {
    BOOST_TEST_CONTEXT(name) BOOST_TEST((help.out.find("\n  " + std::string{name} + " ") != std::string::npos));
    const auto inner = run_command({name, "--help"});
    BOOST_TEST_CONTEXT(name) BOOST_TEST(inner.status == 0);
    BOOST_TEST((inner.out.find("spillway " + std::string{name}) != std::string::npos));
  }
  BOOST_TEST(run_command({"--version"}).out == "spillway " SPILLWAY_VERSION "\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
