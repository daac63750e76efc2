#define BOOST_TEST_MODULE actors
#include <boost/test/unit_test.hpp>

#include "core/log.h"

/// Nodes that die on purpose would fill the output with warnings.
struct Quiet {
  Quiet() { spillway::core::log_init("test", spillway::core::LogLevel::off); }
};
BOOST_TEST_GLOBAL_FIXTURE(Quiet);
