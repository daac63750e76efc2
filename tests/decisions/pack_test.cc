#include "decisions/pack.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "core/client_messages.h"
#include "core/envelope.h"
#include "decisions/tape.h"
#include "tests/core/field_tape.h"

namespace spillway::decisions {

namespace {

template <class T>
void round_trip(const T& value) {
  const core::ByteVector bytes = packed(value);
  T back{};
  Unpacker in(bytes);
  in.get(back);
  BOOST_TEST(in.wrong() == "");
  BOOST_TEST(in.left() == 0U);
  BOOST_TEST((packed(back) == bytes));
  Tape was, is;
  TapeWriter(was).put(value);
  TapeWriter(is).put(back);
  BOOST_TEST((was == is));
}

/// Cut off anywhere it is refused, and nothing is read behind the cut.
template <class T>
void cut_anywhere(const T& value) {
  const core::ByteVector bytes = packed(value);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const core::ByteVector part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    T back{};
    Unpacker in(part);
    in.get(back);
    BOOST_TEST(in.failed());
    BOOST_TEST(in.at() <= part.size());
  }
}

/// The filler knows no limits of enums: what is beyond them would be refused.
struct FitEnums {
  template <class T>
  void operator()(const char*, T& value) {
    if constexpr (Visited<T>) T::visit(value, *this);
    else if constexpr (std::is_enum_v<T>) value = std::min(value, core::enum_max<T>);
    else if constexpr (is_vector<T> && !std::is_same_v<T, core::TokenList>)
      std::for_each(value.begin(), value.end(), [this](auto& element) { (*this)("", element); });
  }
};

template <class Variant, class F, std::size_t... I>
void for_alternatives(const F& f, std::index_sequence<I...>) {
  const auto one = [&]<std::size_t i>(std::integral_constant<std::size_t, i>) {
    Variant made(std::in_place_index<i>);
    core::testing::Filler().fill(std::get<i>(made));
    FitEnums()("", std::get<i>(made));
    BOOST_TEST_CONTEXT("kind " << i) {
      f(made);
    }
  };
  (one(std::integral_constant<std::size_t, I>{}), ...);
}

template <class T>
std::string wrong_of(const core::ByteVector& bytes) {
  T value{};
  Unpacker in(bytes);
  in.get(value);
  return in.wrong();
}

core::ByteVector bytes_of(std::initializer_list<int> list) {
  core::ByteVector bytes;
  for (const int value : list) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pack)

BOOST_AUTO_TEST_CASE(every_message_comes_back) {
  const auto both = [](const auto& message) {
    round_trip(message);
    cut_anywhere(message);
  };
  for_alternatives<core::Message>(both, std::make_index_sequence<core::message_types>());
  for_alternatives<core::ClientMessage>(both, std::make_index_sequence<std::variant_size_v<core::ClientMessage>>());
}

BOOST_AUTO_TEST_CASE(numbers_come_back_at_their_limits) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::numeric_limits<std::uint64_t>::max()}) {
    round_trip(value);
    round_trip(core::NodeId{value});
  }
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{63}, std::int64_t{-64},
                                   std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    round_trip(value);
    round_trip(core::Instant{core::Duration{value}});
  }
  round_trip(std::numeric_limits<std::int32_t>::min());
  round_trip(-0.0F);
  round_trip(0.1);
  round_trip(core::no_block);
  round_trip(duration_max);
  BOOST_TEST(packed(std::uint32_t{127}).size() == 1U);
  BOOST_TEST(packed(std::int32_t{-64}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_missing_request_and_an_empty_message_come_back) {
  core::Run run;
  round_trip(run);
  core::Envelope envelope;
  round_trip(envelope);
  envelope.message = core::make_message(run);
  envelope.acknowledged[1] = 9;
  round_trip(envelope);
  cut_anywhere(envelope);
}

BOOST_AUTO_TEST_CASE(checksums_of_pages_are_no_part_of_answers) {
  core::PageFrame frame;
  frame.header.checksum = 5;
  core::ByteVector one, other;
  Packer(one, Packer::Pages::without_checksums).put(frame);
  frame.header.checksum = 6;
  Packer(other, Packer::Pages::without_checksums).put(frame);
  BOOST_TEST((one == other));
  BOOST_TEST((packed(frame) != one));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_with_its_field) {
  BOOST_TEST(wrong_of<bool>(bytes_of({2})).find("neither") != std::string::npos);
  BOOST_TEST(wrong_of<core::FinishReason>(bytes_of({6})).find("none of its values") != std::string::npos);
  BOOST_TEST(wrong_of<std::uint8_t>(bytes_of({0x80, 2})).find("does not fit") != std::string::npos);
  BOOST_TEST(wrong_of<std::int32_t>(packed(std::int64_t{1} << 40)).find("does not fit") != std::string::npos);
  BOOST_TEST(wrong_of<std::uint64_t>(core::ByteVector(11, std::byte{0xff})).find("64 bits") != std::string::npos);
  BOOST_TEST(wrong_of<std::string>(bytes_of({5, 'a'})).find("5 elements in 1 bytes") != std::string::npos);
  BOOST_TEST(wrong_of<core::Duration>(packed(std::numeric_limits<std::int64_t>::max())).find("hundred years") != std::string::npos);
  BOOST_TEST(wrong_of<core::Message>(bytes_of({99})).find("kind 99") != std::string::npos);
  // A list of as many elements as there are bytes takes memory for those that come.
  core::ByteVector list = packed(std::uint64_t{1U << 20});
  list.resize(list.size() + (1U << 20), std::byte{0x80});
  BOOST_TEST(!wrong_of<std::vector<std::uint32_t>>(list).empty());
  core::ByteVector release = packed(core::Release{});
  release.pop_back();
  release.resize(20);
  BOOST_TEST(wrong_of<core::Release>(release).starts_with("key.request"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions
