#include "actors/node_host.h"

#include <boost/test/unit_test.hpp>
#include <future>

namespace spillway::tests {

// ThreadSanitizer does not see how CAF's own threads hand over to each other, so whole nodes do not run under it.
#if !defined(__SANITIZE_THREAD__)

using std::chrono::milliseconds;

namespace {

actors::HostOptions embedded() {
  config::Model model;
  model.name = "paced";
  model.id = core::model_id(model.name);
  model.kind = config::ModelKind::paced;
  actors::HostOptions options;
  options.cluster = config::embedded_cluster(model, 1);
  options.cluster.nodes.front().kv_blocks = 64;
  options.node = options.cluster.nodes.front().name;
  options.embedded = true;
  return options;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(node_host)

BOOST_AUTO_TEST_CASE(it_starts_serves_and_stops) {
  auto host = actors::NodeHost::start(embedded());
  BOOST_REQUIRE(host.has_value());
  BOOST_TEST((*host)->wait_ready(std::chrono::seconds(20)).has_value());
  BOOST_TEST((*host)->client_endpoint().find("tcp://127.0.0.1:") == 0U);
  BOOST_TEST((*host)->stop());
  BOOST_TEST((*host)->stop());
}

BOOST_AUTO_TEST_CASE(a_stop_does_not_wait_for_a_model_that_loads_for_ever) {
  std::promise<void> begun;
  std::promise<void> go_on;
  auto options = embedded();
  options.on_load = [&begun, wait = go_on.get_future().share()](std::uint32_t) {
    begun.set_value();
    wait.wait();
  };
  auto host = actors::NodeHost::start(std::move(options));
  BOOST_REQUIRE(host.has_value());
  begun.get_future().wait();
  BOOST_TEST(!(*host)->stop(milliseconds(50)));
  BOOST_TEST(!(*host)->stop(milliseconds(0)));
  go_on.set_value();
  BOOST_TEST((*host)->stop());
}

BOOST_AUTO_TEST_SUITE_END()

#endif

}  // namespace spillway::tests
