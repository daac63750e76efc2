#include "core/messages.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "core/envelope.h"
#include "tests/core/field_tape.h"

using namespace spillway::core;
using namespace spillway::core::testing;

namespace {

struct Forgetful {
  int seen = 0;
  std::string forgotten;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("seen", s.seen);
  }
};

/// PageFrame carries its bytes beside the fields: the data and where it starts are not visited.
template <class T>
constexpr std::size_t unvisited = std::is_same_v<T, PageFrame> ? 2 : 0;

template <class T>
void round_trip() {
  T filled;
  Filler filler;
  filler.fill(filled);
  const Tape tape = tape_of(filled);
  T back;
  Reader reader(tape);
  reader.read(back);
  BOOST_TEST(reader.at_end());
  BOOST_TEST((tape_of(back) == tape));
  BOOST_TEST((tape_of(T{}) != tape));
  const Tape copied = tape_of(T(filled));
  BOOST_TEST((copied == tape));
  BOOST_TEST(visited_count<T>() + unvisited<T> == member_count<T>());
}

template <class Variant, std::size_t... index>
void round_trip_all(std::index_sequence<index...>) {
  const auto one = [](auto tag) {
    using T = std::variant_alternative_t<decltype(tag)::value, Variant>;
    BOOST_TEST_CONTEXT("message " << decltype(tag)::value) {
      round_trip<T>();
    }
  };
  (one(std::integral_constant<std::size_t, index>{}), ...);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(a_forgotten_field_is_seen) {
  BOOST_TEST(member_count<Forgetful>() == 2U);
  BOOST_TEST(visited_count<Forgetful>() == 1U);
}

BOOST_AUTO_TEST_CASE(every_message_goes_through_its_visitor_and_back) {
  round_trip_all<Message>(std::make_index_sequence<message_types>{});
}

BOOST_AUTO_TEST_CASE(parts_of_messages_name_all_their_fields) {
  round_trip<Sampling>();
  round_trip<Request>();
  round_trip<TokenOut>();
  round_trip<PageHeader>();
  round_trip<ChoiceState>();
  round_trip<TokenRun>();
  round_trip<TransferBlock>();
  round_trip<RowRange>();
  round_trip<ReplicaReport>();
  round_trip<NodeCounters>();
  round_trip<MoveOutcome>();
  round_trip<StreamStatus>();
  round_trip<QuotaOption>();
  round_trip<Hello>();
}

BOOST_AUTO_TEST_CASE(type_numbers_never_change) {
  const std::array<std::string_view, 30> order = {
      "Run",          "RunAccepted",      "RunRefused", "RunReturned",  "CancelRun",     "BlockNames", "Tokens",   "Move",
      "MoveFailed",   "Release",          "MoveReport", "AskOwner",     "StillYours",    "Gone",       "Offer",    "OfferReply",
      "PageFrame",    "MissingPages",     "Handoff",    "HandoffReply", "TransferAbort", "Report",     "Announce", "Drain",
      "OperatorMove", "OperatorMoveDone", "StatusAsk",  "StatusPart",   "QuotaAsk",      "QuotaReply"};
  BOOST_REQUIRE(message_types >= order.size());
  for (std::size_t i = 0; i < order.size(); ++i) BOOST_TEST(traits(i)->name == order[i]);
  BOOST_TEST(traits(message_types) == nullptr);
  BOOST_TEST(traits(Message{StatusPart{}}).name == "StatusPart");
  BOOST_TEST(traits(Message{Tokens{}}).name == "Tokens");
}

BOOST_AUTO_TEST_CASE(only_page_bytes_travel_on_the_bulk_lane) {
  for (std::size_t i = 0; i < message_types; ++i)
    BOOST_TEST((traits(i)->lane == Lane::bulk) == (traits(i)->name == "PageFrame"), traits(i)->name);
  // What a frozen source asks must come behind the stream's last tokens.
  BOOST_TEST((traits(Message{AskOwner{}}).lane == Lane::token));
  BOOST_TEST((traits(Message{RunReturned{}}).lane == Lane::token));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(client_messages)

BOOST_AUTO_TEST_CASE(every_message_goes_through_its_visitor_and_back) {
  round_trip_all<ClientMessage>(std::make_index_sequence<std::variant_size_v<ClientMessage>>{});
  round_trip<ChatMessage>();
  round_trip<Resume>();
  round_trip<NodeStatus>();
}

BOOST_AUTO_TEST_SUITE_END()
