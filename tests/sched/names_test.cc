#include "sched/names.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

namespace spillway::sched {

namespace {

const core::TenantSecret secret = core::tenant_secret({}, "names");

std::vector<core::TokenId> tokens(std::size_t count) {
  std::vector<core::TokenId> list(count);
  std::iota(list.begin(), list.end(), 100);
  return list;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(names_test)

BOOST_AUTO_TEST_CASE(names_made_token_by_token_are_those_of_the_whole) {
  const auto all = tokens(100);
  for (std::size_t prompt = 1; prompt < 70; ++prompt) {
    StreamNames names(secret, 9, std::span(all).first(prompt), 2);
    for (std::size_t i = prompt; i < all.size(); ++i) {
      const bool filled = (i + 1) % 16 == 0;
      BOOST_TEST(names.add(0, all[i]) == filled);
    }
    std::vector<core::BlockName> list = names.prompt();
    list.insert(list.end(), names.choice(0).begin(), names.choice(0).end());
    BOOST_TEST(names.first_own_block() == prompt / 16);
    BOOST_REQUIRE(list.size() == 6U);
    core::BlockName parent;
    for (std::size_t b = 0; b < list.size(); ++b) {
      parent = core::block_name(secret, 9, parent, std::span(all).subspan(16 * b, 16));
      BOOST_TEST((list[b] == parent));
    }
  }
}

BOOST_AUTO_TEST_CASE(choices_part_where_their_tokens_do) {
  const auto prompt = tokens(20);
  StreamNames names(secret, 0, prompt, 3);
  for (int i = 0; i < 28; ++i) {
    names.add(0, 1);
    names.add(1, 1);
    names.add(2, i == 27 ? 2 : 1);
  }
  BOOST_TEST(names.choice(0).size() == 2U);
  BOOST_TEST((names.choice(0) == names.choice(1)));
  BOOST_TEST((names.choice(0)[0] == names.choice(2)[0]));
  BOOST_TEST((names.choice(0)[1] != names.choice(2)[1]));
}

BOOST_AUTO_TEST_CASE(another_salt_or_secret_gives_other_names) {
  const auto prompt = tokens(16);
  const auto one = StreamNames(secret, 1, prompt, 1).prompt();
  BOOST_TEST((one != StreamNames(secret, 2, prompt, 1).prompt()));
  BOOST_TEST((one != StreamNames(core::tenant_secret({}, "other"), 1, prompt, 1).prompt()));
  BOOST_TEST((one == StreamNames(secret, 1, prompt, 1).prompt()));
}

BOOST_AUTO_TEST_CASE(another_adapter_gives_other_names_to_every_block) {
  const auto prompt = tokens(40);
  StreamNames plain(secret, 1, prompt, 1);
  StreamNames first(secret, 1, prompt, 1, "a");
  StreamNames second(secret, 1, prompt, 1, "b");
  BOOST_TEST((plain.prompt() == StreamNames(secret, 1, prompt, 1, "").prompt()));
  BOOST_TEST((first.prompt() == StreamNames(secret, 1, prompt, 1, "a").prompt()));
  for (auto* names : {&plain, &first, &second}) {
    for (core::TokenId token = 0; token < 8; ++token) names->add(0, token);
  }
  for (std::size_t b = 0; b < 2; ++b) {
    BOOST_TEST((plain.prompt()[b] != first.prompt()[b] && first.prompt()[b] != second.prompt()[b]));
  }
  BOOST_TEST((plain.choice(0)[0] != first.choice(0)[0] && first.choice(0)[0] != second.choice(0)[0]));
  // A prompt shorter than a block has no named block to stand behind.
  StreamNames short_plain(secret, 1, std::span(prompt).first(3), 1);
  StreamNames short_first(secret, 1, std::span(prompt).first(3), 1, "a");
  for (core::TokenId token = 0; token < 13; ++token) short_plain.add(0, token), short_first.add(0, token);
  BOOST_TEST((short_plain.choice(0)[0] != short_first.choice(0)[0]));
}

BOOST_AUTO_TEST_CASE(stand_ins_of_adapters_differ_too) {
  const std::vector<core::BlockName> given{{{1, 1}}, {{1, 2}}, {{1, 3}}};
  const auto plain = StreamNames::stand_ins(given, 40);
  const auto first = StreamNames::stand_ins(given, 40, "a");
  const auto second = StreamNames::stand_ins(given, 40, "b");
  BOOST_TEST((plain.prompt() == std::vector(given.begin(), given.begin() + 2)));
  BOOST_TEST((plain.prompt()[1] != first.prompt()[1] && first.prompt()[1] != second.prompt()[1]));
  BOOST_TEST((plain.choice(0)[0] != first.choice(0)[0] && first.choice(0)[0] != second.choice(0)[0]));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
