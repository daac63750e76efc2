#include "core/ids.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <type_traits>

using namespace spillway::core;
namespace bdata = boost::unit_test::data;

// Ids of different kinds never mix: that is the reason for their type.
static_assert(!std::is_convertible_v<NodeId, TenantId>);
static_assert(!std::is_convertible_v<std::uint64_t, NodeId>);
static_assert(!std::is_same_v<BlockName, KvId>);

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(hex_goes_there_and_back) {
  const U128 value{0x0123456789abcdefU, 0xfedcba9876543210U};
  BOOST_TEST(to_hex(value) == "0123456789abcdeffedcba9876543210");
  U128 back;
  BOOST_REQUIRE(from_hex("0123456789abcdeffedcba9876543210", back));
  BOOST_TEST((back == value));
  BOOST_REQUIRE(from_hex("0123456789ABCDEFFEDCBA9876543210", back));
  BOOST_TEST((back == value));
  BOOST_REQUIRE(from_hex("01234567-89ab-cdef-fedc-ba9876543210", back));
  BOOST_TEST((back == value));
}

const char* const bad_hex[] = {
    "",                                       // nothing
    "0123456789abcdeffedcba987654321",        // one digit short
    "0123456789abcdeffedcba98765432100",      // one too many
    "0123456789abcdeffedcba987654321g",       // no digit
    "0123-4567-89ab-cdef-fedcba-9876543210",  // dashes elsewhere
    "01234567-89ab-cdef-fedc-ba987654321",    // short, with dashes
    " 0123456789abcdeffedcba9876543210",      // space
};

BOOST_DATA_TEST_CASE(hex_refuses_what_is_no_id, bdata::make(bad_hex), text) {
  U128 value{1, 2};
  BOOST_TEST(!from_hex(text, value));
  BOOST_TEST((value == U128{1, 2}));
}

BOOST_AUTO_TEST_CASE(name_id_is_xxh3_of_the_name) {
  BOOST_TEST(name_id("node-a") == 0xdadea24aa12481feU);
  BOOST_TEST(name_id("") == 0x2d06800538d394c2U);
  BOOST_TEST((node_id("node-a") == NodeId{0xdadea24aa12481feU}));
  BOOST_TEST((node_id("node-a") != node_id("node-b")));
}

BOOST_AUTO_TEST_CASE(zero_means_none) {
  const auto means_something = [](const auto& id) { return static_cast<bool>(id); };
  BOOST_TEST(!means_something(NodeId{}));
  BOOST_TEST(means_something(NodeId{1}));
  BOOST_TEST(!means_something(U128{}));
  BOOST_TEST(means_something(U128{1, 0}));
  BOOST_TEST(means_something(U128{0, 1}));
}

BOOST_AUTO_TEST_CASE(epochs_of_one_owner_are_ordered_by_counter) {
  BOOST_TEST((Epoch{Incarnation{9}, 1} < Epoch{Incarnation{9}, 2}));
  BOOST_TEST((Epoch{Incarnation{9}, 1} != Epoch{Incarnation{8}, 1}));
}

BOOST_AUTO_TEST_CASE(hashes_tell_neighbours_apart) {
  const std::hash<U128> hash;
  BOOST_TEST(hash(U128{0, 1}) != hash(U128{0, 2}));
  BOOST_TEST(hash(U128{0, 1}) != hash(U128{1, 0}));
  const std::hash<StreamKey> stream_hash;
  BOOST_TEST(stream_hash({TenantId{1}, RequestId{{1, 1}}}) != stream_hash({TenantId{2}, RequestId{{1, 1}}}));
}

BOOST_AUTO_TEST_SUITE_END()
