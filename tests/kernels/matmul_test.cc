#include "kernels/matmul.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/isa.h"
#include "tests/kernels/weights.h"

using namespace spillway::kernels;
using namespace spillway::kernels::testing;
using spillway::core::ByteVector;

namespace {

std::vector<Isa> supported() {
  std::vector<Isa> isas;
  for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (isa_supported(isa)) isas.push_back(isa);
  return isas;
}

/// Puts the process's instruction set back.
struct IsaGuard {
  Isa saved = current_isa();
  ~IsaGuard() { set_isa(saved); }
};

/// Codes and scale of one group by rule 3, and what it stands for.
struct QuantizedGroup {
  float scale = 0;
  int code[group_elements] = {};
  int sum = 0;
};

QuantizedGroup quantize(const float* x) {
  QuantizedGroup group;
  float largest = 0;
  for (std::size_t i = 0; i < group_elements; ++i) largest = std::max(largest, std::fabs(x[i]));
  group.scale = largest / 127.0f;
  for (std::size_t i = 0; i < group_elements; ++i) {
    group.code[i] = group.scale > 0 ? static_cast<int>(std::nearbyint(x[i] / group.scale)) : 0;
    group.sum += group.code[i];
  }
  return group;
}

struct Truth {
  float contract = 0;    ///< by the letter of the contract
  double exact = 0;      ///< in float64, of dequantised weights and the same (quantised) activations
  double magnitude = 0;  ///< sum of the absolute terms: what errors are relative to
  double plain = 0;      ///< exact with the activations as they were
  double rounding = 0;   ///< what half a step of each activation makes
};

/// Dot of `count` codes of a group from `first` on; exact.
int dot(const RowParts& w, std::size_t at, const QuantizedGroup& x, std::size_t first, std::size_t count) {
  int sum = 0;
  for (std::size_t i = first; i < first + count; ++i) sum += static_cast<int>(w.code[at + i]) * x.code[i];
  return sum;
}

/// One group by the rule of its type.
float add_group(WeightType type, const RowParts& w, std::size_t at, const QuantizedGroup& x, float acc) {
  const auto d = w.d[at];
  if (type == WeightType::nvfp4) {
    acc = std::fma(d * x.scale, static_cast<float>(dot(w, at, x, 0, 16)), acc);
    return std::fma(w.d[at + 16] * x.scale, static_cast<float>(dot(w, at, x, 16, 16)), acc);
  }
  acc = std::fma(d * x.scale, static_cast<float>(dot(w, at, x, 0, 32)), acc);
  if (!w.has_min) return acc;
  if (!w.whole_numbers) return std::fma(w.m[at] * w.min[at] * x.scale, static_cast<float>(x.sum), acc);
  int sums[2] = {};
  for (std::size_t i = 0; i < group_elements; ++i) sums[i / 16] += x.code[i];
  const auto n = static_cast<int>(-w.min[at]) * sums[0] + static_cast<int>(-w.min[at + 16]) * sums[1];
  return std::fma(-w.m[at] * x.scale, static_cast<float>(n), acc);
}

Truth truth(WeightType type, const RowParts& w, const float* x) {
  Truth t;
  const auto k = w.value.size();
  if (!takes_quantized(type)) {
    for (std::size_t i = 0; i < k; ++i) {
      t.contract = std::fma(x[i], w.value[i], t.contract);
      t.exact += static_cast<double>(x[i]) * w.value[i];
      t.magnitude += std::fabs(static_cast<double>(x[i]) * w.value[i]);
    }
    t.plain = t.exact;
    return t;
  }
  for (std::size_t at = 0; at < k; at += group_elements) {
    const auto group = quantize(x + at);
    t.contract = add_group(type, w, at, group, t.contract);
    for (std::size_t i = 0; i < group_elements; ++i) {
      const auto activation = static_cast<double>(group.scale) * group.code[i];
      const auto value = static_cast<double>(w.value[at + i]);
      const auto parts =
          std::fabs(static_cast<double>(w.d[at + i]) * w.code[at + i]) + std::fabs(static_cast<double>(w.m[at + i]) * w.min[at + i]);
      t.exact += value * activation;
      t.magnitude += parts * std::fabs(activation);
      t.plain += value * x[at + i];
      t.rounding += std::fabs(value) * 0.5001 * group.scale;
    }
  }
  return t;
}

/// Random activations as floats and as int8.
struct FiveRows {
  static constexpr std::size_t k = 256;
  static constexpr std::size_t n = 5;
  explicit FiveRows(ThreadPool& pool) { quantized.assign(x.data(), n, k, k, pool); }
  std::vector<float> x = random_rows(n, k, 3);
  QuantizedRows quantized{n, k};
  Activations activations{x.data(), k, n, k, &quantized};
};

std::vector<float> product(const PackedMatrix& w, const std::vector<float>& x, std::size_t n, ThreadPool& pool) {
  const auto k = w.k();
  QuantizedRows quantized{n, k};
  if (takes_quantized(w.type())) quantized.assign(x.data(), n, k, k, pool);
  const auto stride = w.rows() + 3;
  std::vector<float> y(n * stride, -7.0f);
  matmul(w, {x.data(), k, n, k, takes_quantized(w.type()) ? &quantized : nullptr}, y.data(), stride, pool);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t pad = w.rows(); pad < stride; ++pad) BOOST_REQUIRE_EQUAL(y[i * stride + pad], -7.0f);  // nothing beyond a row
  std::vector<float> rows;
  for (std::size_t i = 0; i < n; ++i) rows.insert(rows.end(), y.begin() + i * stride, y.begin() + i * stride + w.rows());
  return rows;
}

std::size_t differences(const std::vector<float>& a, const std::vector<float>& b) {
  BOOST_REQUIRE_EQUAL(a.size(), b.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += same(a[i], b[i]) ? 0 : 1;
  return count;
}

std::vector<float> head(const std::vector<float>& x, std::size_t count) {
  return {x.begin(), x.begin() + static_cast<long>(count)};
}

struct Shape {
  std::size_t rows;
  std::size_t k;
};
constexpr Shape shapes[] = {{1, 32}, {15, 64}, {16, 96}, {17, 288}, {33, 64}, {48, 576}, {70, 160}, {24, 1536}, {5, 4096}};

}  // namespace

BOOST_AUTO_TEST_SUITE(matmul_suite)

BOOST_AUTO_TEST_CASE(every_type_and_set_equals_the_contract_and_is_near_float64) {
  const IsaGuard guard;
  ThreadPool pool{1};
  std::size_t values = 0;
  for (const auto type : all_weight_types())
    for (const auto fill : {Fill::ordinary, Fill::extreme})
      for (const auto& shape : shapes) {
        const auto rows = shape.rows;
        const auto k = whole_blocks(type, shape.k);
        const auto raw = random_tensor(type, rows, k, fill, static_cast<std::uint32_t>(rows * 1000 + k));
        const auto w = PackedMatrix::pack(type, raw, rows, k, nullptr);
        BOOST_REQUIRE(w);
        const std::size_t n = 7;
        auto x = random_rows(n, k, 99);
        std::fill(x.end() - static_cast<long>(k), x.end(), 3.0f);  // all codes 127
        for (std::size_t i = 0; i < k; ++i) x[(n - 2) * k + i] = i % 2 == 0 ? -3.0f : 3.0f;
        std::vector<std::vector<float>> results;
        for (const auto isa : supported()) {
          BOOST_REQUIRE(set_isa(isa));
          results.push_back(product(*w, x, n, pool));
        }
        for (std::size_t row = 0; row < rows; ++row) {
          const auto parts = row_parts(type, raw, k, row);
          for (std::size_t i = 0; i < n; ++i) {
            const auto want = truth(type, parts, x.data() + i * k);
            for (const auto& y : results) {
              const auto got = y[i * rows + row];
              BOOST_REQUIRE_MESSAGE(same(got, want.contract), to_string(type) << ' ' << rows << 'x' << k << " row " << row << " of x " << i
                                                                              << ": " << got << ", contract " << want.contract);
              // One rounding per fma and one of the scale, of sums no larger than the magnitude (absolute: of subnormals).
              const auto steps = 2.0 * static_cast<double>(takes_quantized(type) ? 2 * k / group_elements : k) + 2;
              const auto bound = steps * 0x1p-24 * want.magnitude + steps * 0x1p-149 * 5000;
              BOOST_REQUIRE_LE(std::fabs(got - want.exact), bound);
              if (fill == Fill::ordinary) BOOST_REQUIRE_LE(std::fabs(got - want.plain), want.rounding + bound);
              ++values;
            }
          }
        }
      }
  BOOST_TEST_MESSAGE("values compared with the contract and float64: " << values << ", instruction sets: " << supported().size());
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_alone_in_any_batch_with_any_threads) {
  const IsaGuard guard;
  ThreadPool one{1};
  ThreadPool two{2};
  ThreadPool three{3};
  std::size_t products = 0;
  for (const auto type : all_weight_types()) {
    const std::size_t rows = 85;
    const std::size_t k = whole_blocks(type, 288);
    const std::size_t n_max = 100;
    const auto raw = random_tensor(type, rows, k, Fill::ordinary, 5);
    const auto w = PackedMatrix::pack(type, raw, rows, k, &two);
    BOOST_REQUIRE(w);
    const auto x = random_rows(n_max, k, 6);
    set_isa(Isa::scalar);
    const auto want = product(*w, x, n_max, one);
    for (std::size_t i = 0; i < n_max; ++i) {  // each alone, wherever it lay in the batch
      const std::vector<float> alone{x.begin() + static_cast<long>(i * k), x.begin() + static_cast<long>((i + 1) * k)};
      set_isa(supported()[i % supported().size()]);
      const auto y = product(*w, alone, 1, one);
      BOOST_REQUIRE(std::equal(y.begin(), y.end(), want.begin() + static_cast<long>(i * rows), same));
    }
    for (const auto isa : supported()) {
      set_isa(isa);
      for (std::size_t n = 1; n <= n_max; n += n < 40 ? 1 : 60) {
        auto& pool = n % 3 == 0 ? three : n % 3 == 1 ? two : one;
        BOOST_REQUIRE_EQUAL(differences(product(*w, head(x, n * k), n, pool), head(want, n * rows)), 0u);
        ++products;
      }
    }
  }
  BOOST_TEST_MESSAGE("products compared: " << products);
}

BOOST_AUTO_TEST_CASE(blocks_of_columns_leave_the_bits_alone) {
  const IsaGuard guard;
  ThreadPool pool{2};
  const std::size_t rows = 40;
  const std::size_t k = 4096;  // a block holds 24 to 72 columns of it
  const std::size_t n = 150;
  const auto x = random_rows(n, k, 8);
  for (const auto type : all_weight_types()) {
    const auto raw = random_tensor(type, rows, k, Fill::ordinary, 9);
    const auto w = PackedMatrix::pack(type, raw, rows, k, nullptr);
    BOOST_REQUIRE(w);
    set_isa(best_isa());
    const auto all = product(*w, x, n, pool);
    for (const std::size_t i : {0, 23, 24, 71, 72, 149}) {
      const std::vector<float> alone{x.begin() + static_cast<long>(i * k), x.begin() + static_cast<long>((i + 1) * k)};
      const auto y = product(*w, alone, 1, pool);
      BOOST_REQUIRE(std::equal(y.begin(), y.end(), all.begin() + static_cast<long>(i * rows), same));
    }
  }
}

BOOST_AUTO_TEST_CASE(several_products_share_a_pass_and_may_accumulate) {
  const IsaGuard guard;
  ThreadPool pool{3};
  const FiveRows five{pool};
  const auto& activations = five.activations;
  constexpr auto k = FiveRows::k, n = FiveRows::n;
  for (const auto isa : supported()) {
    set_isa(isa);
    std::vector<PackedMatrix> weights;
    std::vector<std::vector<float>> alone;
    std::vector<std::vector<float>> together;
    std::vector<Product> products;
    for (const auto type : all_weight_types())
      for (const std::size_t rows : {9, 40}) {
        auto w = PackedMatrix::pack(type, random_tensor(type, rows, k, Fill::ordinary, 4), rows, k, nullptr);
        BOOST_REQUIRE(w);
        weights.push_back(std::move(*w));
      }
    for (const auto& w : weights) {
      alone.emplace_back(n * w.rows());
      matmul(w, activations, alone.back().data(), w.rows(), pool);
      together.emplace_back(n * w.rows(), 0.37f);
    }
    for (std::size_t i = 0; i < weights.size(); ++i) products.push_back({&weights[i], together[i].data(), weights[i].rows(), i % 2 == 1});
    matmul(products, activations, pool);
    for (std::size_t i = 0; i < weights.size(); ++i)
      for (std::size_t j = 0; j < alone[i].size(); ++j) BOOST_REQUIRE(same(together[i][j], i % 2 == 1 ? 0.37f + alone[i][j] : alone[i][j]));
  }
}

BOOST_AUTO_TEST_CASE(an_output_scale_multiplies_the_finished_sum) {
  const IsaGuard guard;
  ThreadPool pool{2};
  const FiveRows five{pool};
  const auto& activations = five.activations;
  constexpr auto k = FiveRows::k, n = FiveRows::n;
  for (const auto type : all_weight_types())
    for (const auto isa : supported()) {
      set_isa(isa);
      const std::size_t rows = 21;
      auto w = PackedMatrix::pack(type, random_tensor(type, rows, k, Fill::ordinary, 4), rows, k, nullptr);
      BOOST_REQUIRE(w);
      std::vector<float> before(n * rows);
      matmul(*w, activations, before.data(), rows, pool);
      w->set_output_scale(0.7f);
      std::vector<float> after(n * rows);
      std::vector<float> added(n * rows, 0.37f);
      matmul(*w, activations, after.data(), rows, pool);
      const Product product{&*w, added.data(), rows, true};
      matmul({&product, 1}, activations, pool);
      for (std::size_t i = 0; i < before.size(); ++i) {
        const float scaled = before[i] * 0.7f;
        BOOST_REQUIRE(same(after[i], scaled));
        BOOST_REQUIRE(same(added[i], 0.37f + scaled));
      }
    }
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_finite_spoils_its_row_alone) {
  const IsaGuard guard;
  ThreadPool pool{1};
  const std::size_t rows = 20;
  const std::size_t k = 256;
  for (const auto bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const auto type : all_weight_types())
      for (const auto isa : supported()) {
        if (!takes_quantized(type)) continue;
        set_isa(isa);
        const auto w = PackedMatrix::pack(type, random_tensor(type, rows, k, Fill::ordinary, 4), rows, k, nullptr);
        auto x = random_rows(3, k, 3);
        const auto before = product(*w, x, 3, pool);
        x[k + 40] = bad;
        const auto after = product(*w, x, 3, pool);
        for (std::size_t i = 0; i < 3; ++i)
          for (std::size_t row = 0; row < rows; ++row) {
            const auto y = after[i * rows + row];
            BOOST_REQUIRE(i == 1 ? std::isnan(y) : same(y, before[i * rows + row]));
          }
      }
}

BOOST_AUTO_TEST_CASE(calls_are_counted_by_set_and_size) {
  const IsaGuard guard;
  ThreadPool pool{1};
  const auto w = PackedMatrix::pack(WeightType::f32, random_tensor(WeightType::f32, 4, 8, Fill::ordinary, 1), 4, 8, nullptr);
  const auto x = random_rows(16, 8, 1);
  std::vector<float> y(64);
  for (const auto isa : supported()) {
    set_isa(isa);
    reset_kernel_counts();
    for (const std::size_t n : {1, 2, 15, 16, 1}) matmul(*w, {x.data(), 8, n, 8, nullptr}, y.data(), 4, pool);
    const auto counts = kernel_counts();
    BOOST_TEST(counts.gemv == 2u);
    BOOST_TEST(counts.small == 2u);
    BOOST_TEST(counts.gemm == 1u);
    BOOST_TEST(counts.calls.at(static_cast<std::size_t>(isa)) == 5u);
    BOOST_TEST(counts.calls[0] + counts.calls[1] + counts.calls[2] == 5u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
