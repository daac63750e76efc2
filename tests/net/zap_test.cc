#include "net/zap.h"

#include <boost/test/unit_test.hpp>

namespace spillway::net {

namespace {

/// Asks as libzmq's I/O threads do and returns (status code, user id).
std::pair<std::string, std::string> ask(const ZmqContext& context, Zap& zap, const std::vector<std::string>& request) {
  ZmqSocket asker(context, ZMQ_REQ);
  BOOST_REQUIRE(asker.connect("inproc://zeromq.zap.01"));
  for (std::size_t i = 0; i < request.size(); ++i) asker.send(core::as_bytes(request[i]), i + 1 < request.size());
  zap.on_readable();
  std::vector<ZmqMessage> reply;
  bool overlong = false;
  BOOST_REQUIRE(asker.receive(reply, 6, overlong));
  BOOST_REQUIRE(reply.size() == 6U);
  BOOST_TEST(reply[0].text() == "1.0");
  BOOST_TEST(reply[1].text() == "request 7");
  return {std::string(reply[2].text()), std::string(reply[4].text())};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zap)

BOOST_AUTO_TEST_CASE(only_a_curve_key_that_the_decision_names_gets_in) {
  const ZmqContext context(1);
  const std::string key(32, 'k');
  std::string asked;
  Zap zap(context, [&](std::string_view domain, const std::string& public_key, std::string_view address) {
    asked = std::string(domain) + " " + std::string(address);
    return public_key == encode_key(key) ? std::string("n:7") : std::string();
  });
  using Answer = std::pair<std::string, std::string>;
  BOOST_TEST((ask(context, zap, {"1.0", "request 7", "nodes", "10.0.0.1", "", "CURVE", key}) == Answer{"200", "n:7"}));
  BOOST_TEST(asked == "nodes 10.0.0.1");
  BOOST_TEST((ask(context, zap, {"1.0", "request 7", "nodes", "10.0.0.1", "", "CURVE", std::string(32, 'x')}) == Answer{"400", ""}));
  asked.clear();
  BOOST_TEST((ask(context, zap, {"1.0", "request 7", "nodes", "10.0.0.1", "", "CURVE", "short"}) == Answer{"400", ""}));
  asked.clear();
  BOOST_TEST((ask(context, zap, {"1.0", "request 7", "nodes", "10.0.0.1", "", "NULL"}) == Answer{"400", ""}));
  BOOST_TEST((ask(context, zap, {"1.0", "request 7", "nodes", "10.0.0.1", "", "PLAIN", "user", "word"}) == Answer{"400", ""}));
  BOOST_TEST(asked.empty());  // not even asked
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
