#include "core/client_messages.h"

#include <array>
#include <boost/test/unit_test.hpp>

using namespace spillway::core;

// The round trip of these messages stands with those of the nodes, in messages_test.cc.
BOOST_AUTO_TEST_SUITE(client_messages)

BOOST_AUTO_TEST_CASE(names_follow_the_type_numbers) {
  BOOST_TEST(client_message_name(ClientHello{}) == "ClientHello");
  BOOST_TEST(client_message_name(ServerHello{}) == "ServerHello");
  BOOST_TEST(client_message_name(Submit{}) == "Submit");
  BOOST_TEST(client_message_name(Accepted{}) == "Accepted");
  BOOST_TEST(client_message_name(Delta{}) == "Delta");
  BOOST_TEST(client_message_name(Finished{}) == "Finished");
  BOOST_TEST(client_message_name(Failed{}) == "Failed");
  BOOST_TEST(client_message_name(ClientCancel{}) == "ClientCancel");
  BOOST_TEST(client_message_name(Ping{}) == "Ping");
  BOOST_TEST(client_message_name(StatusRequest{}) == "StatusRequest");
  BOOST_TEST(client_message_name(StatusReply{}) == "StatusReply");
  BOOST_TEST(client_message_name(MoveRequest{}) == "MoveRequest");
  BOOST_TEST(client_message_name(DrainRequest{}) == "DrainRequest");
  BOOST_TEST(client_message_name(OperationUpdate{}) == "OperationUpdate");
  BOOST_TEST(ClientMessage{ClientHello{}}.index() == 0U);
  BOOST_TEST(ClientMessage{OperationUpdate{}}.index() == 13U);
}

BOOST_AUTO_TEST_CASE(states_read_as_the_status_shows_them) {
  BOOST_TEST(to_string(NodeState::up) == "up");
  BOOST_TEST(to_string(NodeState::suspect) == "suspect");
  BOOST_TEST(to_string(NodeState::draining) == "draining");
  BOOST_TEST(to_string(NodeState::down) == "down");
}

BOOST_AUTO_TEST_SUITE_END()
