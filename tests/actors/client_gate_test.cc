#include "actors/client_gate.h"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace spillway::tests {

using actors::ClientGate;

namespace {

const net::ClientRef one{1};
const net::ClientRef two{2};

core::Submit submit(std::size_t bytes = 10) {
  core::Submit made;
  made.request = {{1, 2}};
  made.text.assign(bytes, 'x');
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(client_gate)

BOOST_AUTO_TEST_CASE(messages_not_yet_done_with_are_bounded_for_each_client_alone) {
  ClientGate gate({.messages_max = 3, .bytes_max = 1000, .cancels_max = 1});
  std::vector<ClientGate::Ticket> tickets;
  for (int i = 0; i < 3; ++i) tickets.push_back(gate.enter(one, submit()));
  BOOST_TEST((tickets.back() != nullptr));
  BOOST_TEST((gate.enter(one, submit()) == nullptr));
  BOOST_TEST((gate.enter(one, core::StatusRequest{4}) == nullptr));
  BOOST_TEST((gate.enter(two, submit()) != nullptr));
  // A cancel still passes, but not without end.
  tickets.push_back(gate.enter(one, core::ClientCancel{}));
  BOOST_TEST((tickets.back() != nullptr));
  BOOST_TEST((gate.enter(one, core::ClientCancel{}) == nullptr));
  tickets.resize(2);
  BOOST_TEST((gate.enter(one, submit()) != nullptr));
}

BOOST_AUTO_TEST_CASE(bytes_not_yet_done_with_are_bounded_but_one_message_always_goes) {
  ClientGate gate({.messages_max = 100, .bytes_max = 1000, .cancels_max = 1});
  auto large = gate.enter(one, submit(5000));
  BOOST_TEST((large != nullptr));
  BOOST_TEST((gate.enter(one, submit(1)) == nullptr));
  BOOST_TEST((gate.enter(one, core::StatusRequest{4}) != nullptr));
  large.reset();
  const auto first = gate.enter(one, submit(600));
  BOOST_TEST((gate.enter(one, submit(600)) == nullptr));
  auto resumed = submit(0);
  resumed.resume.choices.resize(1);
  resumed.resume.choices[0].tokens.resize(300);
  BOOST_TEST((gate.enter(one, resumed) == nullptr));
}

BOOST_AUTO_TEST_CASE(what_is_turned_away_is_answered_by_name) {
  const auto failed = ClientGate::answer(submit());
  BOOST_REQUIRE(failed.has_value());
  BOOST_TEST((std::get<core::Failed>(*failed).code == core::Errc::queue_full));
  BOOST_TEST((std::get<core::Failed>(*failed).request == submit().request));
  BOOST_TEST((std::get<core::Failed>(*failed).retry_after > core::Duration{0}));
  const auto update = ClientGate::answer(core::DrainRequest{7, "a", core::DrainMode::begin});
  BOOST_REQUIRE(update.has_value());
  BOOST_TEST(std::get<core::OperationUpdate>(*update).operation == 7U);
  BOOST_TEST(std::get<core::OperationUpdate>(*update).done);
  BOOST_TEST((std::get<core::OperationUpdate>(*update).code == core::Errc::queue_full));
  BOOST_TEST(!ClientGate::answer(core::ClientCancel{}).has_value());
}

BOOST_AUTO_TEST_CASE(clients_that_are_gone_are_forgotten_and_their_tickets_harm_nobody) {
  ClientGate gate({.messages_max = 1, .bytes_max = 1000, .cancels_max = 1});
  auto ticket = gate.enter(one, submit());
  BOOST_TEST(gate.clients() == 1U);
  gate.gone(one);
  BOOST_TEST(gate.clients() == 0U);
  ticket.reset();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
