// Every row's logits by whatever grouping of rows into steps.

#include "model/runner.h"

#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/isa.h"
#include "kernels/weight_type.h"
#include "model/cpu_device.h"
#include "model/random_model.h"
#include "tests/model/tiny_model.h"

using namespace spillway;

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they have their own
#define SPILLWAY_COUNTS_ALLOCATIONS
// Every allocation of this test's process is counted, on whatever thread.
void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

BOOST_AUTO_TEST_SUITE(runner)

BOOST_AUTO_TEST_CASE(all_rows_at_once_equal_rows_one_by_one) {
  auto device = model::CpuDevice::make({.path = model::test::write_tiny_model({}), .blocks = 16, .threads = 2, .step_rows_max = 128});
  BOOST_REQUIRE(device.has_value());
  auto& runner = (*device)->runner();
  const std::size_t vocabulary = (*device)->info().vocabulary;
  std::vector<core::TokenId> tokens(70);
  std::iota(tokens.begin(), tokens.end(), 5);
  std::vector<core::BlockId> blocks{3, 1, 4, 2, 0};

  // More wanted rows than one product of the head takes, given out in order.
  std::vector<model::WantedRow> wanted;
  for (std::uint32_t r = 0; r < tokens.size(); ++r) wanted.push_back({0, r});
  std::vector<std::vector<float>> all;
  const core::StepItem whole{{}, 0, tokens, blocks, {}, {}};
  runner.run({&whole, 1}, wanted, [&](std::size_t index, const float* logits) {
    BOOST_TEST(index == all.size());
    all.emplace_back(logits, logits + vocabulary);
  });
  BOOST_REQUIRE(all.size() == tokens.size());

  blocks = {9, 10, 11, 12, 13};
  for (std::uint32_t r = 0; r < tokens.size(); ++r) {
    const core::StepItem one{{}, r, {tokens[r]}, blocks, {}, {}};
    const model::WantedRow row{0, 0};
    runner.run({&one, 1}, {&row, 1},
               [&](std::size_t, const float* logits) { BOOST_TEST((std::vector<float>(logits, logits + vocabulary) == all[r])); });
  }
}

// Models of random weights, one for each type: together or alone, on every instruction set, a row has the same logits.
BOOST_AUTO_TEST_CASE(every_type_of_weights_keeps_the_contract) {
  const auto saved = kernels::current_isa();
  const std::string path = std::filesystem::temp_directory_path() / ("spillway_types_" + std::to_string(::getpid()) + ".gguf");
  const std::vector<core::TokenId> tokens{0, 70, 101, 5, 200, 33, 258, 7};
  const std::vector<core::BlockId> blocks{1};
  std::size_t types = 0;
  for (const auto& type : kernels::block_types()) {
    if (type.decode == nullptr) continue;
    ++types;
    BOOST_REQUIRE(model::write_random_model(*model::find_model_shape("tiny"), type, 1, path));
    auto device = model::CpuDevice::make({.path = path, .blocks = 4, .threads = 2, .step_rows_max = 16});
    BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
    const std::size_t vocabulary = (*device)->info().vocabulary;
    std::vector<float> want;
    for (const auto isa : {kernels::Isa::scalar, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (!kernels::set_isa(isa)) continue;
      std::vector<float> together;
      std::vector<float> alone;
      std::vector<model::WantedRow> wanted;
      for (std::uint32_t r = 0; r < tokens.size(); ++r) wanted.push_back({0, r});
      const core::StepItem whole{{}, 0, tokens, blocks, {}, {}};
      (*device)->runner().run({&whole, 1}, wanted,
                              [&](std::size_t, const float* logits) { together.insert(together.end(), logits, logits + vocabulary); });
      for (std::uint32_t r = 0; r < tokens.size(); ++r) {
        const core::StepItem one{{}, r, {tokens[r]}, blocks, {}, {}};
        (*device)->runner().run({&one, 1}, {wanted.data(), 1},
                                [&](std::size_t, const float* logits) { alone.insert(alone.end(), logits, logits + vocabulary); });
      }
      if (want.empty()) want = together;
      BOOST_TEST((together == want), type.name << " on " << kernels::to_string(isa));
      BOOST_TEST((alone == want), type.name << " alone on " << kernels::to_string(isa));
    }
    BOOST_TEST(want.size() == tokens.size() * vocabulary);
    for (const float logit : want) BOOST_REQUIRE(std::isfinite(logit));
  }
  kernels::set_isa(saved);
  std::filesystem::remove(path);
  BOOST_TEST(types == kernels::weight_type_count);
}

BOOST_AUTO_TEST_CASE(a_step_without_wanted_rows_only_writes_pages) {
  auto device = model::CpuDevice::make({.path = model::test::write_tiny_model({}), .blocks = 2, .step_rows_max = 16});
  BOOST_REQUIRE(device.has_value());
  const core::StepItem item{{}, 0, {1, 2, 3}, {1}, {}, {}};
  (*device)->runner().run({&item, 1}, {}, [](std::size_t, const float*) { BOOST_ERROR("no row was asked for"); });
  std::vector<std::byte> rows(3 * (*device)->info().row_bytes);
  (*device)->read_rows(1, 0, 3, rows);
  std::size_t zeros = 0;
  for (const auto byte : rows) zeros += byte == std::byte{0} ? 1 : 0;
  BOOST_TEST(zeros < rows.size() / 4);
}

BOOST_AUTO_TEST_CASE(steps_allocate_nothing) {
  auto device = model::CpuDevice::make({.path = model::test::write_tiny_model({}), .blocks = 64, .threads = 2, .step_rows_max = 256});
  BOOST_REQUIRE(device.has_value());
  std::vector<core::TokenId> prompt(200, 7);
  std::vector<core::BlockId> blocks(20);
  std::iota(blocks.begin(), blocks.end(), core::BlockId{0});
  const std::vector<core::StepItem> items{{{}, 0, {1, 2, 3}, {60}, {}, {}}, {{}, 100, prompt, blocks, {}, {}}, {{}, 3, {4}, {60}, {}, {}}};
  const std::vector<model::WantedRow> wanted{{0, 2}, {1, 199}, {2, 0}};
  std::size_t seen = 0;
  const model::LogitsVisitor visit = [&seen](std::size_t, const float*) { ++seen; };
#ifdef SPILLWAY_COUNTS_ALLOCATIONS
  BOOST_TEST(allocations > 0U);
#else
  BOOST_TEST_MESSAGE("allocations are not counted under a sanitizer");
#endif
  const std::size_t before = allocations;
  for (int step = 0; step < 3; ++step) (*device)->runner().run(items, wanted, visit);
  const std::size_t after = allocations;
  BOOST_TEST(after - before == 0U);
  BOOST_TEST(seen == 9U);
}

BOOST_AUTO_TEST_SUITE_END()
