#include "model/kv_pool.h"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <utility>
#include <vector>

using namespace spillway;

BOOST_AUTO_TEST_SUITE(kv_pool)

BOOST_AUTO_TEST_CASE(rows_travel_in_the_canonical_layout) {
  constexpr std::size_t planes = 6;
  constexpr std::size_t row = 32;
  auto pool = model::KvPool::make(planes, row, 3);
  BOOST_REQUIRE(pool.has_value());
  BOOST_TEST(pool->page_bytes() == planes * row * 16);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(pool->page(1)) % 64 == 0U);
  for (std::size_t i = 0; i < pool->page_bytes(); ++i) pool->page(1)[i] = static_cast<std::byte>(i * 7 / 3);

  std::vector<std::byte> run(5 * pool->row_bytes());
  pool->read_rows(1, 4, 5, run);
  bool right = true;
  for (std::size_t plane = 0; plane < planes; ++plane)
    for (std::size_t r = 0; r < 5; ++r)
      for (std::size_t i = 0; i < row; ++i) right &= run[(plane * 5 + r) * row + i] == pool->page(1)[(plane * 16 + 4 + r) * row + i];
  BOOST_TEST(right);

  // In three runs to another page: equal pages.
  for (const auto& [first, rows] : {std::pair{0U, 4U}, std::pair{4U, 5U}, std::pair{9U, 7U}}) {
    run.resize(rows * pool->row_bytes());
    pool->read_rows(1, first, rows, run);
    pool->write_rows(2, first, rows, run);
  }
  std::vector<std::byte> one(pool->page_bytes());
  std::vector<std::byte> two(pool->page_bytes());
  pool->read_rows(1, 0, 16, one);
  pool->read_rows(2, 0, 16, two);
  BOOST_TEST((one == two));
  BOOST_TEST((one == std::vector<std::byte>(pool->page(1), pool->page(1) + pool->page_bytes())));

  pool->copy_rows(1, 0, 3);
  pool->read_rows(0, 0, 16, two);
  for (std::size_t plane = 0; plane < planes; ++plane) {
    BOOST_TEST((two[(plane * 16 + 2) * row] == one[(plane * 16 + 2) * row]));
    BOOST_TEST((two[(plane * 16 + 3) * row] == std::byte{0}));
  }
}

BOOST_AUTO_TEST_CASE(impossible_sizes_are_refused) {
  BOOST_TEST(!model::KvPool::make(1, 64, 0).has_value());
  BOOST_TEST(!model::KvPool::make(0, 64, 4).has_value());
  BOOST_TEST(!model::KvPool::make(1, 2, 4).has_value());
  BOOST_TEST(!model::KvPool::make(1, SIZE_MAX / 4, 4).has_value());
  BOOST_TEST(!model::KvPool::make(1, SIZE_MAX / 64, 4000).has_value());
}

BOOST_AUTO_TEST_CASE(a_pool_moves_as_a_whole) {
  auto pool = model::KvPool::make(1, 64, 2);
  BOOST_REQUIRE(pool.has_value());
  auto* base = pool->base();
  model::KvPool moved = std::move(*pool);
  BOOST_TEST(moved.base() == base);
  BOOST_TEST(moved.blocks() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
