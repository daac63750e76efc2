// The graph against a float64 reading of the architecture, on generated models.

#include "model/llama.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <vector>

#include "model/cpu_device.h"
#include "tests/model/tiny_model.h"

namespace {

using namespace spillway;
using model::test::TinyOptions;
using model::test::TinyTypes;

std::vector<core::TokenId> text(std::size_t n, std::uint32_t vocabulary) {
  std::vector<core::TokenId> tokens(n);
  for (std::size_t i = 0; i < n; ++i) tokens[i] = static_cast<core::TokenId>((i * i * 7 + 11 * i + 3) % vocabulary);
  return tokens;
}

/// Root mean square of the difference over that of the reference's spread.
double relative_error(const TinyOptions& options, core::PageFormat format, std::size_t n) {
  const auto tiny = model::test::make_tiny_model(options);
  auto device = model::CpuDevice::make(
      {.path = model::test::write_tiny_model(options), .page_format = format, .blocks = 64, .threads = 2, .step_rows_max = 1024});
  BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
  const auto tokens = text(n, tiny.vocabulary);
  std::vector<core::BlockId> blocks((n + 15) / 16);
  std::iota(blocks.rbegin(), blocks.rend(), core::BlockId{0});
  const core::StepItem item{{}, 0, tokens, blocks, {}, {}};
  const model::WantedRow last{0, static_cast<std::uint32_t>(n - 1)};
  const auto want = model::test::reference_logits(tiny, tokens, format == core::PageFormat::raw16);
  double difference = 0;
  double spread = 0;
  const double mean = std::accumulate(want.begin(), want.end(), 0.0) / static_cast<double>(want.size());
  (*device)->runner().run({&item, 1}, {&last, 1}, [&](std::size_t, const float* logits) {
    for (std::size_t i = 0; i < want.size(); ++i) {
      difference += (static_cast<double>(logits[i]) - want[i]) * (static_cast<double>(logits[i]) - want[i]);
      spread += (want[i] - mean) * (want[i] - mean);
    }
  });
  return std::sqrt(difference / spread);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(llama)

// Lower bounds too: a difference that is too small would mean that the reference is not independent, or nothing was rounded.
BOOST_AUTO_TEST_CASE(float_weights_agree_with_float64) {
  for (const std::size_t n : {1U, 17U, 300U}) {
    const double plain = relative_error({.types = TinyTypes::floats}, core::PageFormat::raw32, n);
    const double all = relative_error({.types = TinyTypes::floats, .tied = false, .rope_factors = true}, core::PageFormat::raw32, n);
    const double half = relative_error({.types = TinyTypes::floats}, core::PageFormat::raw16, n);
    BOOST_TEST(plain < 1e-5);
    BOOST_TEST(all < 1e-5);
    BOOST_TEST(half < 1e-3);
    BOOST_TEST(plain > 1e-9);
    BOOST_TEST_MESSAGE("float weights, " << n << " tokens: " << plain << " raw32, " << all << " untied with factors, " << half << " raw16");
  }
}

BOOST_AUTO_TEST_CASE(quantised_weights_differ_by_the_rounding_of_activations) {
  for (const std::size_t n : {1U, 40U, 300U}) {
    const double error = relative_error({}, core::PageFormat::raw32, n);
    BOOST_TEST(error < 0.06);  // a wrong wire gives about 1
    BOOST_TEST(error > 1e-5);
    BOOST_TEST_MESSAGE("mixed weights, " << n << " tokens: " << error);
  }
}

BOOST_AUTO_TEST_CASE(many_kv_heads_and_odd_sizes) {
  const double error =
      relative_error({.types = TinyTypes::floats, .layers = 1, .width = 60, .heads = 6, .kv_heads = 3, .head_dim = 10, .hidden = 44},
                     core::PageFormat::raw32, 50);
  BOOST_TEST(error < 1e-5);
}

BOOST_AUTO_TEST_SUITE_END()
