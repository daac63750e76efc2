#include "net/codec.h"

#include <boost/test/unit_test.hpp>

#include "tests/net/random_message.h"

namespace spillway::net {

using core::EnvelopeKind;

BOOST_AUTO_TEST_SUITE(codec)

BOOST_AUTO_TEST_CASE(every_message_survives_the_round_trip) {
  std::size_t checked = 0;
  for (std::size_t type = 0; type < core::message_types; ++type) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      test::Filler filler(seed * 1000 + type, seed % 7 * 3);
      const auto sent = filler.envelope(EnvelopeKind::data, type);
      const auto got = decode_envelope(test::received(encode(sent)));
      BOOST_REQUIRE_MESSAGE(got, core::traits(type)->name << ": " << (got ? "" : got.error().message));
      BOOST_REQUIRE_EQUAL(test::dump(*got), test::dump(sent));
      ++checked;
    }
  }
  BOOST_TEST_MESSAGE("messages checked: " << checked);
}

BOOST_AUTO_TEST_CASE(every_kind_of_envelope_survives) {
  for (int kind = 0; kind <= static_cast<int>(core::enum_max<EnvelopeKind>); ++kind) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      auto sent = test::Filler(seed).envelope(static_cast<EnvelopeKind>(kind), seed % core::message_types);
      if (static_cast<EnvelopeKind>(kind) != EnvelopeKind::data) sent.lane = static_cast<core::Lane>(seed % 3);
      const auto got = decode_envelope(test::received(encode(sent)));
      BOOST_REQUIRE_MESSAGE(got, (got ? "" : got.error().message));
      BOOST_REQUIRE_EQUAL(test::dump(*got), test::dump(sent));
    }
  }
}

BOOST_AUTO_TEST_CASE(every_client_message_survives) {
  for (std::size_t type = 0; type < std::variant_size_v<core::ClientMessage>; ++type) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      const auto sent = test::Filler(seed * 77 + type, seed % 5 * 3).client_message(type);
      const auto got = decode_client(test::received(encode(sent)));
      BOOST_REQUIRE_MESSAGE(got, core::client_message_name(sent) << ": " << (got ? "" : got.error().message));
      BOOST_REQUIRE_EQUAL(test::dump_variant(*got), test::dump_variant(sent));
    }
  }
}

BOOST_AUTO_TEST_CASE(large_messages_outgrow_the_scratch_segment_and_leave_it_clean) {
  test::Filler filler(5, 3000);
  const auto large = filler.envelope(EnvelopeKind::data, 5);  // BlockNames
  const auto small = test::Filler(6).envelope(EnvelopeKind::data, 4);
  for (int turn = 0; turn < 3; ++turn) {
    for (const auto* sent : {&large, &small}) {
      const auto got = decode_envelope(test::received(encode(*sent)));
      BOOST_REQUIRE(got);
      BOOST_REQUIRE_EQUAL(test::dump(*got), test::dump(*sent));
    }
  }
}

BOOST_AUTO_TEST_CASE(page_bytes_are_shared_on_the_way_out_and_kept_on_the_way_in) {
  core::PageFrame page;
  page.data = core::share(core::ByteVector(4096, std::byte{7}));
  page.data_offset = 1024;
  page.data_bytes = 512;
  page.payload_bytes = 4096;
  core::Envelope envelope;
  envelope.lane = core::Lane::bulk;
  envelope.message = core::make_message(page);
  const auto frames = encode(envelope);
  BOOST_TEST(frames.payload.get() == page.data.get());
  BOOST_TEST(frames.payload_view().data() == page.data->data() + 1024);
  BOOST_TEST(frames.header.size() < 400U);
  const auto in = test::received(frames);
  const auto got = decode_envelope(in);
  BOOST_REQUIRE(got);
  BOOST_TEST(std::get<core::PageFrame>(*got->message).data.get() == in.payload.get());
}

BOOST_AUTO_TEST_CASE(misaligned_frames_decode_alike) {
  const auto sent = test::Filler(9).envelope(EnvelopeKind::data, 0);
  const auto frames = encode(sent);
  core::ByteVector shifted(frames.header.size() + 8);
  for (std::size_t offset = 0; offset < 8; ++offset) {
    std::copy(frames.header.begin(), frames.header.end(), shifted.begin() + static_cast<std::ptrdiff_t>(offset));
    const auto got = decode_envelope({core::Bytes{shifted}.subspan(offset, frames.header.size()), nullptr});
    BOOST_REQUIRE(got);
    BOOST_TEST(test::dump(*got) == test::dump(sent));
  }
}

BOOST_AUTO_TEST_CASE(another_version_is_refused_with_both_named_but_a_hello_decodes) {
  auto envelope = test::Filler(3).envelope(EnvelopeKind::data, 4);
  envelope.version = 9;
  DecodeFault fault{};
  auto got = decode_envelope(test::received(encode(envelope)), {}, &fault);
  BOOST_REQUIRE(!got);
  BOOST_TEST((fault == DecodeFault::unknown_version));
  BOOST_TEST((got.error().code == core::Errc::incompatible));
  BOOST_TEST(got.error().message.find("version 9") != std::string::npos);
  BOOST_TEST(got.error().message.find("version 1") != std::string::npos);
  envelope.kind = EnvelopeKind::hello;
  envelope.hello.version = 9;
  got = decode_envelope(test::received(encode(envelope)));
  BOOST_REQUIRE(got);
  BOOST_TEST(got->hello.version == 9);
}

BOOST_AUTO_TEST_CASE(endless_durations_are_cut_to_the_longest) {
  core::RunRefused refused;
  refused.retry_after = core::Duration::max();
  core::Envelope envelope;
  envelope.message = core::make_message(refused);
  const auto got = decode_envelope(test::received(encode(envelope)));
  BOOST_REQUIRE(got);
  BOOST_TEST((std::get<core::RunRefused>(*got->message).retry_after == duration_max));
}

BOOST_AUTO_TEST_CASE(the_ranges_of_enums_are_whole) {
  const auto whole = []<class E>(E last) {
    return core::to_string(last) != "unknown" && core::to_string(static_cast<E>(static_cast<int>(last) + 1)) == "unknown";
  };
  BOOST_TEST(whole(core::enum_max<core::Errc>));
  BOOST_TEST(whole(core::enum_max<core::FinishReason>));
  BOOST_TEST(whole(core::enum_max<core::ServiceClass>));
  BOOST_TEST(whole(core::enum_max<core::PageFormat>));
  BOOST_TEST(whole(core::enum_max<core::NodeState>));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
