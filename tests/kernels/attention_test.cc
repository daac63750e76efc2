#include "kernels/attention.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/float16.h"
#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;
using spillway::core::BlockId;
using spillway::core::PageFormat;

namespace {

/// Queries, keys and values of one sequence, and the pool they lie in under a shuffled block table.
struct Fixture {
  Fixture(PageShape page_shape, std::uint32_t query_heads, std::uint32_t token_count, std::uint32_t seed)
      : shape{page_shape}, heads{query_heads}, tokens{token_count} {
    const std::size_t kv_width = std::size_t{shape.kv_heads} * shape.head_dim;
    q = testing::normals(std::size_t{tokens} * heads * shape.head_dim, seed, 2.0F);
    k = testing::normals(tokens * kv_width, seed + 1, 2.0F);
    v = testing::normals(tokens * kv_width, seed + 2);
    blocks.resize((tokens + 15) / 16);
    std::iota(blocks.begin(), blocks.end(), BlockId{1});
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937{seed});
    pool.assign((blocks.size() + 1) * shape.page_bytes(), std::byte{0x7f});  // not-a-numbers where nothing was written
  }

  std::vector<float> run(ThreadPool& threads, std::uint32_t chunk, const AttentionRule& rule = {}) {
    Attention attention{shape, heads, tokens, threads.threads()};
    const std::size_t kv_width = std::size_t{shape.kv_heads} * shape.head_dim;
    const std::size_t width = std::size_t{heads} * shape.head_dim;
    std::vector<float> out(q.size());
    for (std::uint32_t from = 0; from < tokens; from += chunk) {
      const std::uint32_t rows = std::min(chunk, tokens - from);
      // A page that no later row sees is lost, as a pool may do that keeps windows alone.
      if (rule.window != 0 && from >= rule.window)
        for (std::size_t lost = 0; lost < (from + 1 - rule.window) / 16; ++lost)
          std::fill_n(pool.begin() + static_cast<std::ptrdiff_t>(blocks[lost] * shape.page_bytes()), shape.page_bytes(), std::byte{0x7f});
      for (std::uint32_t r = from; r < from + rows; ++r)
        attention.write(pool.data(), layer, blocks.data(), r, &k[r * kv_width], &v[r * kv_width]);
      attention.run(pool.data(), layer, {{blocks.data(), from, rows, 0}}, &q[from * width], &out[from * width], threads, rule);
    }
    return out;
  }

  /// Largest difference from plain softmax attention in double over the values as stored.
  double worst(const std::vector<float>& out, const AttentionRule& rule = {}) const {
    const auto stored = [&](float x) { return static_cast<double>(shape.format == PageFormat::raw32 ? x : f16_to_f32(f32_to_f16(x))); };
    const std::size_t d = shape.head_dim;
    double largest = 0;
    for (std::size_t row = 0; row < tokens; row += 1 + row / 16) {
      for (std::size_t head = 0; head < heads; ++head) {
        const std::size_t kv_head = head / (heads / shape.kv_heads);
        std::vector<double> p(row + 1);
        const std::size_t first = rule.window != 0 && row >= rule.window ? row + 1 - rule.window : 0;
        for (std::size_t t = 0; t <= row; ++t) {
          for (std::size_t i = 0; i < d; ++i)
            p[t] += static_cast<double>(q[(row * heads + head) * d + i]) * stored(k[(t * shape.kv_heads + kv_head) * d + i]);
          p[t] *= rule.scale != 0 ? static_cast<double>(rule.scale) : 1.0 / std::sqrt(static_cast<double>(d));
          if (t < first) p[t] = -1e30;
        }
        const double max = *std::max_element(p.begin(), p.end());
        double sum = 0;
        for (auto& x : p) sum += x = std::exp(x - max);
        for (std::size_t i = 0; i < d; ++i) {
          double want = 0;
          for (std::size_t t = 0; t <= row; ++t) want += p[t] / sum * stored(v[(t * shape.kv_heads + kv_head) * d + i]);
          largest = std::max(largest, std::abs(static_cast<double>(out[(row * heads + head) * d + i]) - want));
        }
      }
    }
    return largest;
  }

  PageShape shape;
  std::uint32_t heads;
  std::uint32_t tokens;
  std::size_t layer = 1;
  std::vector<float> q, k, v;
  std::vector<BlockId> blocks;
  std::vector<std::byte> pool;
};

const PageShape shapes[] = {{2, 3, 64, PageFormat::raw16}, {2, 2, 8, PageFormat::raw32},   {2, 1, 64, PageFormat::raw32},
                            {2, 2, 72, PageFormat::raw16}, {2, 1, 128, PageFormat::raw16}, {2, 2, 16, PageFormat::raw16}};

}  // namespace

BOOST_AUTO_TEST_SUITE(attention_op)

BOOST_AUTO_TEST_CASE(close_to_float64_over_the_stored_values) {
  ThreadPool threads{2};
  for (const auto& shape : shapes) {
    Fixture f{shape, shape.kv_heads * 3, 600, 11};
    BOOST_TEST(f.worst(f.run(threads, 600)) < 4e-6);
  }
}

BOOST_AUTO_TEST_CASE(equal_on_every_instruction_set) {
  ThreadPool threads{2};
  for (const auto& shape : shapes) {
    for (const std::uint32_t tokens : {1U, 15U, 16U, 17U, 255U, 256U, 257U, 530U}) {
      Fixture f{shape, shape.kv_heads * 2, tokens, tokens};
      testing::check_same("attention over " + std::to_string(tokens), [&] { return f.run(threads, 64); });
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_depends_neither_on_chunks_nor_on_threads) {
  ThreadPool one{1};
  ThreadPool two{2};
  for (const auto& shape : shapes) {
    Fixture f{shape, shape.kv_heads * 3, 530, 5};
    const auto whole = f.run(one, 530);
    for (const std::uint32_t chunk : {1U, 7U, 32U, 256U}) BOOST_TEST(testing::same_bits(whole, f.run(two, chunk), "chunk"));
  }
}

BOOST_AUTO_TEST_CASE(a_window_hides_the_tokens_before_it) {
  ThreadPool one{1};
  ThreadPool two{2};
  for (const auto& shape : shapes) {
    for (const AttentionRule rule :
         {AttentionRule{1}, AttentionRule{16}, AttentionRule{50, 0.2F}, AttentionRule{256}, AttentionRule{257}, AttentionRule{700}}) {
      Fixture f{shape, shape.kv_heads * 3, 600, 7};
      const auto whole = f.run(one, 600, rule);
      BOOST_TEST(f.worst(whole, rule) < (rule.scale == 0 ? 4e-6 : 1e-5));  // larger scores are rounded coarser
      for (const std::uint32_t chunk : {1U, 7U, 100U}) BOOST_TEST(testing::same_bits(whole, f.run(two, chunk, rule), "chunk"));
      testing::check_same("window of " + std::to_string(rule.window), [&] { return f.run(two, 64, rule); });
      if (rule.window == 700) BOOST_TEST(testing::same_bits(f.run(one, 600), whole, "a window that is never full"));
    }
  }
}

BOOST_AUTO_TEST_CASE(sequences_do_not_see_each_other) {
  ThreadPool threads{2};
  const PageShape shape{2, 3, 64, PageFormat::raw16};
  Fixture a{shape, 9, 300, 1};
  Fixture b{shape, 9, 40, 2};
  const auto alone_a = a.run(threads, 300);
  const auto alone_b = b.run(threads, 40);
  // The same two in one pool and one call: b's blocks lie behind a's.
  auto pool = a.pool;
  pool.insert(pool.end(), b.pool.begin(), b.pool.end());
  auto shifted = b.blocks;
  for (auto& block : shifted) block += static_cast<BlockId>(a.blocks.size() + 1);
  auto q = a.q;
  q.insert(q.end(), b.q.begin(), b.q.end());
  std::vector<float> out(q.size());
  Attention attention{shape, 9, 340, 2};
  attention.run(pool.data(), 1, {{a.blocks.data(), 0, 300, 0}, {shifted.data(), 0, 40, 300}}, q.data(), out.data(), threads);
  auto alone = alone_a;
  alone.insert(alone.end(), alone_b.begin(), alone_b.end());
  BOOST_TEST(testing::same_bits(alone, out, "together"));
}

BOOST_AUTO_TEST_CASE(half_pages_round_to_nearest_even) {
  const PageShape shape{1, 1, 32, PageFormat::raw16};
  const std::vector<float> values{1.0F + 0x1p-11F, 1.0F + 0x1.8p-10F, 65519.0F, 65520.0F, 0x1p-25F, 0x1.8p-25F, -0.0F, 1e-9F};
  std::vector<float> k(32);
  for (std::size_t i = 0; i < k.size(); ++i) k[i] = values[i % values.size()];
  testing::for_each_isa(
      [&] {
        std::vector<std::byte> pool(shape.page_bytes());
        const BlockId block = 0;
        Attention{shape, 1, 1, 1}.write(pool.data(), 0, &block, 0, k.data(), k.data());
        return pool;
      },
      [&](const auto& scalar, const auto& other, Isa) {
        BOOST_TEST((scalar == other));
        for (std::size_t i = 0; i < k.size(); ++i) {
          const auto got =
              static_cast<std::uint16_t>(std::to_integer<unsigned>(other[2 * i]) | std::to_integer<unsigned>(other[2 * i + 1]) << 8);
          BOOST_TEST(got == f32_to_f16(k[i]));
        }
      });
}

BOOST_AUTO_TEST_SUITE_END()
