#define BOOST_TEST_MODULE wire_fuzz
#include <capnp/serialize.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <set>
#include <sstream>

#include "net/codec.h"
#include "net/wire.capnp.h"
#include "tests/net/heap_count.h"
#include "tests/net/random_message.h"
#include "tests/net/wire_mutator.h"

namespace spillway::net {

namespace {

std::array<std::uint64_t, decode_faults> faults{};
std::uint64_t accepted = 0;
std::uint64_t tried = 0;
std::uint64_t fields_named = 0;
std::set<std::string> paths_named;  // without the places in lists

/// Collects the names of all fields of a message, those of what it holds included, by the visitors of core/.
class FieldNames {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    names.insert(name);
    add(value);
  }
  template <class T>
  void add(const T& value) {
    if constexpr (!std::is_arithmetic_v<T> && !std::is_enum_v<T> && !test::is_core_id<T> && !std::is_same_v<T, core::Duration> &&
                  !std::is_same_v<T, std::string>) {
      compound(value);
    }
  }
  std::set<std::string> names;

 private:
  template <class T>
  void compound(const T& value) {
    test::visit_members(value, *this);
  }
  template <class T>
  void compound(const std::vector<T>&) {
    add(T{});
  }
  void compound(const core::TokenList&) {}
  void compound(const std::pair<core::TokenId, float>&) {}
  template <class T>
  void compound(const std::shared_ptr<const T>&) {
    add(T{});
  }
};

template <std::size_t... I>
void add_node_messages(FieldNames& fields, std::set<std::string>& messages, std::index_sequence<I...>) {
  (fields.add(std::variant_alternative_t<I, core::Message>{}), ...);
  (messages.insert(std::string(core::traits(I)->name)), ...);
}

template <std::size_t... I>
void add_client_messages(FieldNames& fields, std::set<std::string>& messages, std::index_sequence<I...>) {
  (fields.add(std::variant_alternative_t<I, core::ClientMessage>{}), ...);
  (messages.insert(std::string(core::client_message_name(core::ClientMessage(std::in_place_index<I>)))), ...);
}

struct Known {
  std::set<std::string> messages{"Envelope", "Hello"};
  std::set<std::string> fields;

  Known() {
    FieldNames found;
    add_node_messages(found, messages, std::make_index_sequence<core::message_types>());
    add_client_messages(found, messages, std::make_index_sequence<std::variant_size_v<core::ClientMessage>>());
    found.add(core::Hello{});
    fields = found.names;
    // The envelope is no message and has no visitor.
    for (const char* name : {"version", "kind", "lane", "from", "to", "incarnation", "to_incarnation", "session", "sequence",
                             "acknowledged", "credit", "text"})
      fields.insert(name);
  }
};

/// True where an error says what is wrong with the frame as a whole, before any field of it was read.
bool of_the_frame(DecodeFault fault) {
  switch (fault) {
    case DecodeFault::empty:
    case DecodeFault::not_words:
    case DecodeFault::header_too_large:
    case DecodeFault::malformed:
    case DecodeFault::trailing_bytes:
    case DecodeFault::unknown_version:
    case DecodeFault::unknown_type:
    case DecodeFault::payload_unexpected:
    case DecodeFault::payload_too_large: return true;
    default: return false;
  }
}

/// "frame at Tokens.runs[3].tokens: what is wrong": the message and each field on the way must be known to the codec. Not more
/// than "frame: what is wrong" is allowed for what is wrong with all of it.
void check_names(const std::string& error, DecodeFault fault) {
  static const Known known;
  const std::string at = "frame at ";
  if (error.rfind(at, 0) != 0) {
    BOOST_REQUIRE_MESSAGE(of_the_frame(fault) && error.rfind("frame: ", 0) == 0 && error.size() > 15, "no field is named: " << error);
    return;
  }
  const auto end = error.find(": ");
  BOOST_REQUIRE_MESSAGE(end != std::string::npos && error.size() > end + 4, "nothing is said of the field: " << error);
  std::string path;
  bool inside = false;
  for (const char c : error.substr(at.size(), end - at.size())) {
    inside = (inside || c == '[') && c != ']';
    if (!inside && c != ']') path += c;
  }
  std::istringstream parts(path);
  std::string part;
  std::getline(parts, part, '.');
  BOOST_REQUIRE_MESSAGE(known.messages.contains(part), "no message is named: " << error);
  while (std::getline(parts, part, '.')) BOOST_REQUIRE_MESSAGE(known.fields.contains(part), part << " is no field: " << error);
  ++fields_named;
  paths_named.insert(std::move(path));
}

template <class Decode>
auto counted(const ReceivedFrames& in, Decode&& decode) {
  // Everything ever taken, not only what is held at once: the strictest reading. The rest of the sum is capnp's fixed state, the
  // texts of errors and what vectors hold before they grow.
  const auto bound = decode_factor * in.header.size() + decode_slack_bytes + 32'768;
  DecodeFault fault = DecodeFault::count;
  test::count_heap(true);
  auto result = decode(in, &fault);
  test::count_heap(false);
  ++tried;
  const auto taken_bytes = test::heap_bytes_taken();
  BOOST_REQUIRE_MESSAGE(taken_bytes <= bound, taken_bytes << " bytes taken for a frame of " << in.header.size());
  BOOST_REQUIRE((fault == DecodeFault::none) == result.has_value());
  ++faults[static_cast<std::size_t>(fault)];
  if (!result) {
    check_names(result.error().message, fault);
  } else {
    ++accepted;
  }
  return result;
}

/// Accepted and usable, or refused: what decodes must survive encoding again.
void try_envelope(const ReceivedFrames& in) {
  const auto got = counted(in, [](const auto& frames, auto* fault) { return decode_envelope(frames, {}, fault); });
  if (!got) return;
  auto once = *got;
  once.version = core::protocol_version;
  const auto again = decode_envelope(test::received(encode(once)));
  BOOST_REQUIRE_MESSAGE(again, (again ? "" : again.error().message));
  BOOST_REQUIRE(test::dump(*again) == test::dump(once));
}

void try_client(const ReceivedFrames& in) {
  const auto got = counted(in, [](const auto& frames, auto* fault) { return decode_client(frames, {}, fault); });
  if (!got) return;
  const auto again = decode_client(test::received(encode(*got)));
  BOOST_REQUIRE_MESSAGE(again, (again ? "" : again.error().message));
  BOOST_REQUIRE(test::dump_variant(*again) == test::dump_variant(*got));
}

struct Case {
  core::ByteVector header;
  core::SharedBytes payload;
  bool client = false;

  void attempt(const core::ByteVector& damaged) const {
    if (client) {
      try_client({damaged, payload});
    } else {
      try_envelope({damaged, payload});
    }
  }
};

/// One frame of every kind and type.
std::vector<Case> corpus(std::uint64_t seed, std::size_t list_max) {
  std::vector<Case> all;
  const auto add = [&](const Frames& frames, bool client) {
    const auto in = test::received(frames);
    all.push_back({frames.header, in.payload, client});
  };
  for (std::size_t type = 0; type < core::message_types; ++type) {
    add(encode(test::Filler(seed + type, list_max).envelope(core::EnvelopeKind::data, type)), false);
  }
  for (int kind = 0; kind <= static_cast<int>(core::enum_max<core::EnvelopeKind>); ++kind) {
    add(encode(test::Filler(seed + 100, list_max).envelope(static_cast<core::EnvelopeKind>(kind), 4)), false);
  }
  for (std::size_t type = 0; type < std::variant_size_v<core::ClientMessage>; ++type) {
    add(encode(test::Filler(seed + 200 + type, list_max).client_message(type)), true);
  }
  return all;
}

template <class Root, class Fill>
core::ByteVector built(Fill&& fill) {
  capnp::MallocMessageBuilder builder;
  fill(builder.initRoot<Root>());
  const auto words = capnp::messageToFlatArray(builder);
  const auto bytes = words.asBytes();
  const auto* data = reinterpret_cast<const std::byte*>(bytes.begin());
  return {data, data + bytes.size()};
}

template <class Fill>
void try_data(Fill&& fill) {
  try_envelope({built<wire::Envelope>([&](wire::Envelope::Builder e) {
                  e.setVersion(core::protocol_version);
                  e.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
                  fill(e.initMessage());
                }),
                nullptr});
}

std::uint64_t hits(DecodeFault fault) {
  return faults[static_cast<std::size_t>(fault)];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire_fuzz)

BOOST_AUTO_TEST_CASE(every_count_size_offset_type_and_length_in_turn) {
  const auto before = tried;
  for (const auto& each : corpus(1, 2)) {
    test::WireMutator mutator(each.header);
    mutator.each([&](const core::ByteVector& damaged) { each.attempt(damaged); });
  }
  const auto count = tried - before;
  BOOST_TEST_MESSAGE("structured mutations: " << count << ", accepted and usable: " << accepted);
  BOOST_TEST(count >= 10'000U);
}

BOOST_AUTO_TEST_CASE(random_damage) {
  const auto before = tried;
  test::Filler random(99);
  for (std::uint64_t seed = 1; tried - before < 10'000; ++seed) {
    for (const auto& each : corpus(seed * 1000, seed % 6)) {
      auto damaged = each.header;
      const auto times = 1 + random.number(8);
      for (std::uint64_t i = 0; i < times; ++i) {
        auto& byte = damaged[random.number(damaged.size())];
        byte = random.number(2) == 0 ? static_cast<std::byte>(random.number(256)) : byte ^ static_cast<std::byte>(1U << random.number(8));
      }
      if (random.number(4) == 0) damaged.resize(random.number(damaged.size() + 20));
      each.attempt(damaged);
    }
  }
  BOOST_TEST_MESSAGE("random mutations: " << tried - before);
}

BOOST_AUTO_TEST_CASE(lists_and_texts_beyond_all_measure) {
  const auto too_long = hits(DecodeFault::list_too_long);
  const auto too_much = hits(DecodeFault::too_much_memory);
  const auto text = hits(DecodeFault::text_too_long);
  try_data([](wire::Message::Builder m) { m.initBlockNames().initNames(5'000); });
  BOOST_TEST(hits(DecodeFault::too_much_memory) == too_much);  // honest lists pass
  // Elements of one word each that decode to more than a hundred bytes.
  const auto slim = [](std::uint32_t count) {
    auto frame = built<wire::Envelope>([&](wire::Envelope::Builder e) {
      e.setVersion(core::protocol_version);
      e.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
      e.initMessage().initReport().initReplicas(1);
    });
    // The list is the last object: its tag is rewritten to `count` elements of one data word, which follow.
    std::vector<std::uint64_t> words(frame.size() / 8);
    std::memcpy(words.data(), frame.data(), frame.size());
    std::size_t pointer = 0;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if ((words[i] & 3) == 1 && ((words[i] >> 32) & 7) == 7) pointer = i;
    }
    const auto target = pointer + 1 + (words[pointer] >> 2 & 0x3fffffff);
    words[pointer] = (words[pointer] & 0x7ffffffffULL) | (static_cast<std::uint64_t>(count) << 35);
    words.resize(target + 1 + count);
    words[target] = (static_cast<std::uint64_t>(count) << 2) | (1ULL << 32);
    words[0] = (words.size() - 1) << 32;
    core::ByteVector bytes(words.size() * 8);
    std::memcpy(bytes.data(), words.data(), bytes.size());
    return bytes;
  };
  try_envelope({slim(3), nullptr});
  try_envelope({slim(5'000), nullptr});
  BOOST_TEST(hits(DecodeFault::too_much_memory) == too_much + 1);
  try_envelope({slim(400'000), nullptr});
  BOOST_TEST(hits(DecodeFault::list_too_long) == too_long + 1);
  try_data([](wire::Message::Builder m) { m.initMoveFailed().initReason(static_cast<capnp::uint>(text_bytes_max) + 1); });
  BOOST_TEST(hits(DecodeFault::text_too_long) == text + 1);
}

BOOST_AUTO_TEST_CASE(payloads_that_do_not_fit) {
  const auto frame = [](std::uint32_t bytes, std::uint32_t offset, std::uint32_t whole) {
    return built<wire::Envelope>([&](wire::Envelope::Builder e) {
      e.setVersion(core::protocol_version);
      e.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
      auto page = e.initMessage().initPageFrame();
      page.setDataBytes(bytes), page.setOffset(offset), page.setPayloadBytes(whole);
    });
  };
  const auto bytes = [](std::size_t size) { return core::share(core::ByteVector(size)); };
  try_envelope({frame(100, 0, 100), bytes(100)});
  BOOST_TEST(hits(DecodeFault::none) > 0U);
  try_envelope({frame(100, 0, 100), nullptr});
  BOOST_TEST(hits(DecodeFault::payload_missing) > 0U);
  try_envelope({frame(100, 0, 100), bytes(99)});
  BOOST_TEST(hits(DecodeFault::payload_size) > 0U);
  try_envelope({frame(100, 1, 100), bytes(100)});
  try_envelope({frame(100, 0xffffffff, 0xffffffff), bytes(100)});
  BOOST_TEST(hits(DecodeFault::fragment_range) >= 2U);
  try_envelope({frame(300'000, 0, 300'000), bytes(300'000)});
  BOOST_TEST(hits(DecodeFault::payload_too_large) > 0U);
  try_envelope({encode(test::Filler(1).envelope(core::EnvelopeKind::data, 4)).header, bytes(1)});
  try_envelope({encode(test::Filler(1).envelope(core::EnvelopeKind::ack, 4)).header, bytes(1)});
  try_client({encode(test::Filler(1).client_message(3)).header, bytes(1)});
  BOOST_TEST(hits(DecodeFault::payload_unexpected) >= 3U);
}

BOOST_AUTO_TEST_CASE(frames_of_no_or_odd_or_enormous_size) {
  const auto whole = encode(test::Filler(1).envelope(core::EnvelopeKind::data, 4)).header;
  try_envelope({{}, nullptr});
  try_client({{}, nullptr});
  BOOST_TEST(hits(DecodeFault::empty) >= 2U);
  for (std::size_t size = 1; size < whole.size(); ++size) try_envelope({core::Bytes{whole}.first(size), nullptr});
  BOOST_TEST(hits(DecodeFault::not_words) > 0U);
  auto longer = whole;
  longer.resize(whole.size() + 8);
  try_envelope({longer, nullptr});
  BOOST_TEST(hits(DecodeFault::trailing_bytes) > 0U);
  longer.resize((4U << 20) + 8);
  try_envelope({longer, nullptr});
  BOOST_TEST(hits(DecodeFault::header_too_large) > 0U);
}

BOOST_AUTO_TEST_CASE(every_branch_that_refuses_was_reached) {
  // The directed cases of this suite reach the rest; these have none of their own.
  try_data([](wire::Message::Builder m) { m.initRun(); });  // without its request
  try_envelope({built<wire::Envelope>([](wire::Envelope::Builder e) {
                  e.setVersion(core::protocol_version);
                  e.setKind(static_cast<std::uint8_t>(core::EnvelopeKind::data));
                }),
                nullptr});
  for (std::size_t i = 1; i < decode_faults; ++i) {
    const auto fault = static_cast<DecodeFault>(i);
    BOOST_TEST_MESSAGE(to_string(fault) << ": " << faults[i]);
    BOOST_TEST(faults[i] > 0U, to_string(fault) << " was never reached");
    BOOST_TEST(to_string(fault) != "unknown");
  }
  BOOST_TEST_MESSAGE("frames tried: " << tried << ", accepted and usable: " << accepted << ", refused: " << tried - accepted);
  BOOST_TEST_MESSAGE("errors that name a field: " << fields_named << ", of " << paths_named.size() << " different ones");
  BOOST_TEST(paths_named.size() >= 200U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
