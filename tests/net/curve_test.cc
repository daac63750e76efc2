#include "net/curve.h"

#include <boost/test/unit_test.hpp>

namespace spillway::net {

BOOST_AUTO_TEST_SUITE(curve)

BOOST_AUTO_TEST_CASE(pairs_are_fresh_and_whole) {
  const auto first = make_key_pair();
  const auto second = make_key_pair();
  BOOST_REQUIRE((first && second));
  BOOST_TEST((*first != *second));
  BOOST_TEST(is_key(first->public_key));
  BOOST_TEST(is_key(first->secret_key));
  BOOST_TEST(*public_key_of(first->secret_key) == first->public_key);
  BOOST_TEST(KeyPair{}.empty());
  BOOST_TEST(!first->empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_key_is_refused) {
  const auto key = make_key_pair()->public_key;
  for (const auto& text : {std::string(), std::string("short"), key + "0", key.substr(1), std::string(40, '~'), std::string(40, '\0')}) {
    BOOST_TEST(!is_key(text), "taken for a key: " << text);
    BOOST_TEST((public_key_of(text).error().code == core::Errc::bad_argument));
  }
}

BOOST_AUTO_TEST_CASE(z85_is_that_of_its_specification) {
  // The test case of rfc.zeromq.org/spec/32.
  const unsigned char hello[] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes.append(reinterpret_cast<const char*>(hello), sizeof hello);
  BOOST_TEST(encode_key(bytes) == "HelloWorldHelloWorldHelloWorldHelloWorld");
  BOOST_TEST(encode_key("too short").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
