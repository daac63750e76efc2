#include "core/assert.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

BOOST_AUTO_TEST_SUITE(assert_)

BOOST_AUTO_TEST_CASE(true_condition_goes_on) {
  int evaluated = 0;
  SPILLWAY_ASSERT(++evaluated == 1);
  BOOST_TEST(evaluated == 1);
}

BOOST_AUTO_TEST_CASE(false_condition_aborts_in_release_builds_too) {
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // Boost's own handler would run the rest of the tests in the child
    close(STDERR_FILENO);
    SPILLWAY_ASSERT(child != 0);
    _exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGABRT);
}

BOOST_AUTO_TEST_SUITE_END()
