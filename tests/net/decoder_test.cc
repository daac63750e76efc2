#include "net/decoder.h"

#include <boost/test/unit_test.hpp>

#include "net/wire_fields_client.h"

namespace spillway::net {

namespace {

/// The error of an envelope whose message `fill` makes.
template <class Fill>
std::string error_of(Fill&& fill) {
  const auto frame = build<wire::Envelope>([&](wire::Envelope::Builder envelope) {
    envelope.setVersion(core::protocol_version);
    envelope.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
    fill(envelope.initMessage());
  });
  const auto decoded = decode_envelope({frame, nullptr});
  return decoded ? "" : decoded.error().message;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(decoder)

BOOST_AUTO_TEST_CASE(an_error_names_the_field_and_what_is_wrong) {
  const auto finish = error_of([](wire::Message::Builder m) { m.initTokens().initRuns(3)[1].initTokens(2)[1].setFinish(77); });
  BOOST_TEST(has(finish, "Tokens.runs[1].tokens[1].finish"), finish);
  BOOST_TEST(has(finish, "77"), finish);
  const auto request = error_of([](wire::Message::Builder m) { m.initHandoff().initRun(); });
  BOOST_TEST(has(request, "Handoff.run.request: is missing"), request);
  const auto format = error_of([](wire::Message::Builder m) { m.initReport().initReplicas(2)[0].setFormat(200); });
  BOOST_TEST(has(format, "Report.replicas[0].format"), format);
  const auto wait = error_of([](wire::Message::Builder m) { m.initRunRefused().setRetryAfter(INT64_MIN); });
  BOOST_TEST(has(wait, "RunRefused.retry_after"), wait);
  const auto text = error_of([](wire::Message::Builder m) { m.initMoveFailed().initReason(text_bytes_max + 1); });
  BOOST_TEST(has(text, "MoveFailed.reason"), text);
}

BOOST_AUTO_TEST_CASE(the_field_where_the_library_gave_up_is_named) {
  auto frame = build<wire::Envelope>([&](wire::Envelope::Builder envelope) {
    envelope.setVersion(core::protocol_version);
    envelope.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
    envelope.initMessage().initMoveFailed().setReason("no room");
  });
  frame[frame.size() - 1] = std::byte{1};  // the text lies last; its end is no zero now
  const auto decoded = decode_envelope({frame, nullptr});
  BOOST_REQUIRE(!decoded);
  BOOST_TEST(has(decoded.error().message, "MoveFailed.reason"), decoded.error().message);
  BOOST_TEST((decoded.error().code == core::Errc::bad_frame));
}

BOOST_AUTO_TEST_CASE(fields_of_a_later_build_are_ignored) {
  // Offer read as what a build knew that had its first two fields only, and the other way round.
  const auto frame = build<wire::Offer>(
      [](wire::Offer::Builder offer) { offer.setTransfer(5), offer.initKey().setTenant(6), offer.setPageBytes(7), offer.initBlocks(3); });
  core::TransferAbort known;  // transfer and key stand first in both
  const auto opened =
      open_frame<wire::TransferAbort>({frame, nullptr}, {}, nullptr, [&](wire::TransferAbort::Reader reader, Decoder& decoder) {
        decoder.field("transfer", known.transfer, reader, Access{[](auto r) { return r.getTransfer(); }, nullptr, nullptr, nullptr});
        decoder.field("key", known.key, reader, Access{[](auto r) { return r.getKey(); }, nullptr, nullptr, nullptr});
      });
  BOOST_REQUIRE(opened);
  BOOST_TEST(known.transfer.value == 5U);
  BOOST_TEST(known.key.tenant.value == 6U);
}

BOOST_AUTO_TEST_CASE(the_first_fault_is_kept) {
  Decoder decoder(64);
  decoder.fail(DecodeFault::bad_enum, "first");
  decoder.fail(DecodeFault::malformed, "second");
  BOOST_TEST((decoder.fault() == DecodeFault::bad_enum));
  BOOST_TEST(has(decoder.reason(), "first"));
  BOOST_TEST(!has(decoder.reason(), "second"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
