#define BOOST_TEST_MODULE cluster_config
#include <boost/test/unit_test.hpp>
