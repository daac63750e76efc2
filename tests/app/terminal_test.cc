#include "app/terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(terminal)

BOOST_AUTO_TEST_CASE(no_colours_in_a_pipe) {
  int ends[2] = {};
  BOOST_REQUIRE(::pipe(ends) == 0);
  BOOST_TEST(!colours_on(ends[1]));
  BOOST_TEST(coloured(ends[1], Colour::red, "x") == "x");
  ::close(ends[0]), ::close(ends[1]);
}

BOOST_AUTO_TEST_CASE(colours_on_a_terminal_that_wants_them) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) {
    BOOST_TEST_MESSAGE("no pseudo-terminal here: the colours of one were not tried");
    return;
  }
  ::setenv("TERM", "xterm", 1);
  ::unsetenv("NO_COLOR");
  BOOST_TEST(coloured(terminal, Colour::red, "x") == "\033[31mx\033[0m");
  BOOST_TEST(coloured(terminal, Colour::green, "x") == "\033[32mx\033[0m");
  ::setenv("NO_COLOR", "1", 1);
  BOOST_TEST(!colours_on(terminal));
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "dumb", 1);
  BOOST_TEST(!colours_on(terminal));
  ::close(terminal);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
