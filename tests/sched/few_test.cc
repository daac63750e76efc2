#include "sched/few.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>

using spillway::sched::Few;

BOOST_AUTO_TEST_SUITE(few)

BOOST_AUTO_TEST_CASE(keeps_its_first_elements_however_many_it_has) {
  Few<std::string> list;
  BOOST_TEST(list.empty());
  BOOST_TEST(list.size() == 0U);
  list.resize(1);
  list[0] = "a";
  list.resize(1);
  BOOST_TEST(list[0] == "a");
  list.resize(3);
  BOOST_TEST(list.size() == 3U);
  BOOST_TEST(list[0] == "a");
  BOOST_TEST(list[2].empty());
  list[1] = "b";
  list.resize(2);
  BOOST_TEST(list[1] == "b");
  list.resize(1);
  BOOST_TEST(list.size() == 1U);
  BOOST_TEST(list[0] == "a");
  list.clear();
  BOOST_TEST(list.empty());
  list.resize(1);
  BOOST_TEST(list[0].empty());  // nothing of before
  list.emplace_back() = "c";
  std::string all;
  for (const auto& word : list) all += word + ",";
  BOOST_TEST(all == ",c,");
  list.resize(0);
  list.resize(4);
  BOOST_TEST(list.size() == 4U);
  BOOST_TEST((list.end() - list.begin()) == 4);
}

BOOST_AUTO_TEST_CASE(copies_and_moves_its_elements) {
  Few<std::string> one;
  one.emplace_back() = "x";
  Few<std::string> copy = one;
  copy[0] = "y";
  BOOST_TEST(one[0] == "x");
  one.emplace_back() = "z";
  copy = one;
  BOOST_TEST(copy.size() == 2U);
  BOOST_TEST(copy[1] == "z");
  Few<std::unique_ptr<int>> owner;
  owner.emplace_back() = std::make_unique<int>(7);
  const Few<std::unique_ptr<int>> taken = std::move(owner);
  BOOST_TEST(*taken[0] == 7);
}

BOOST_AUTO_TEST_SUITE_END()
