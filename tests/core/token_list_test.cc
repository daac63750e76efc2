#include "core/token_list.h"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace spillway::core {

BOOST_AUTO_TEST_SUITE(token_list)

BOOST_AUTO_TEST_CASE(copies_and_beginnings_share_what_they_hold) {
  const TokenList list = std::vector<TokenId>{5, 6, 7};
  const std::vector<TokenList> copies(2, list);
  const TokenList part = list.first(2);
  for (const auto& copy : copies) BOOST_TEST(copy.data() == list.data());
  BOOST_TEST(part.data() == list.data());
  BOOST_TEST((part.vector() == std::vector<TokenId>{5, 6}));
  BOOST_TEST((part == TokenList{5, 6}));
  BOOST_TEST(list[2] == 7);
}

BOOST_AUTO_TEST_CASE(equal_by_content) {
  const TokenList list{1, 2, 3};
  BOOST_TEST((list == TokenList{1, 2, 3}));
  BOOST_TEST((list != TokenList{1, 2, 4}));
  BOOST_TEST((list != list.first(2)));
  BOOST_TEST((list.first(0) == TokenList{}));
}

BOOST_AUTO_TEST_CASE(an_empty_list_holds_nothing) {
  const TokenList none;
  BOOST_TEST(none.empty());
  BOOST_TEST((none.begin() == none.end()));
  BOOST_TEST(none.vector().empty());
  BOOST_TEST((none == TokenList(std::vector<TokenId>{})));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::core
