// Against routers that follow a script: what a real cluster does too rarely to test.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <future>
#include <memory>
#include <ostream>
#include <vector>

#include "sdk/include/spillway/client.h"
#include "tests/sdk/scripted_router.h"

namespace bdata = boost::unit_test::data;

namespace spillway::tests {

namespace {

constexpr auto for_ever = std::chrono::milliseconds::max();
constexpr auto patience = std::chrono::seconds(60);  // only decides how long a failure takes

/// A client whose time limits decide nothing.
sdk::ClientOptions to(const std::vector<std::string>& endpoints) {
  sdk::ClientOptions options;
  for (const auto& endpoint : endpoints) options.endpoints.push_back({endpoint, ""});
  options.connect_timeout = options.silence_max = options.unavailable_max = patience;
  return options;
}

ScriptedRouter::Script refuse(core::Errc code) {
  return [code](const core::ClientMessage&) -> ScriptedRouter::Answers {
    return {core::Failed{{}, code, "refused by script", std::chrono::seconds(3)}};
  };
}

struct Refused {
  const char* rule;
  core::Errc first;
  core::Errc second;
  sdk::Code want;
  int retry_ms;
  friend std::ostream& operator<<(std::ostream& out, const Refused& c) { return out << c.rule; }
};

const Refused refusals[] = {
    {"wrong keys everywhere are unauthorized", core::Errc::unauthorized, core::Errc::unauthorized, sdk::Code::unauthorized, 0},
    {"another version everywhere is incompatible", core::Errc::incompatible, core::Errc::incompatible, sdk::Code::incompatible, 0},
    {"two final reasons: the first one's", core::Errc::incompatible, core::Errc::unauthorized, sdk::Code::incompatible, 0},
    {"one that may come back makes it unavailable", core::Errc::unauthorized, core::Errc::unavailable, sdk::Code::unavailable, 1000},
    {"also when it is the first", core::Errc::queue_full, core::Errc::unauthorized, sdk::Code::unavailable, 1000},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scripted)

BOOST_DATA_TEST_CASE(connect_tells_final_refusals_from_passing_ones, bdata::make(refusals), c) {
  const ScriptedRouter first(refuse(c.first));
  const ScriptedRouter second(refuse(c.second));
  const auto refused = sdk::Client::connect(to({first.endpoint(), second.endpoint()}));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST(sdk::to_string(refused.error().code) == sdk::to_string(c.want));
  BOOST_TEST(refused.error().retry_after.count() == c.retry_ms);
  for (const auto* router : {&first, &second}) BOOST_TEST(refused.error().message.find(router->endpoint()) != std::string::npos);
  BOOST_TEST(refused.error().message.find("refused by script") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
