#include "app/device_profile.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "sim/profile.h"
#include "tests/sim/test_folder.h"

using namespace spillway;
using namespace spillway::app;

namespace {

/// Takes the time that a formula says, in microseconds: 100 + 4 rows + 10 + 2 draws + attention, the latter
/// rows x (history + rows / 2) / 16 for each prompt longer than one block or with a history, and context / 4 for each decode.
class FormulaDevice : public model::Device {
 public:
  FormulaDevice() {
    info_.model_name = "formula's";
    info_.context_max = 1024;
    info_.vocabulary = 100;
    info_.blocks = 600;
    info_.isa = "scalar";
  }
  const core::ReplicaInfo& info() const override { return info_; }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override {
    ++steps;
    double time = 100;
    std::set<core::BlockId> blocks;
    bool draws = false;
    for (const auto& item : plan.items) {
      const auto rows = static_cast<double>(item.tokens.size());
      time += 4 * rows;
      for (const auto block : item.blocks) {
        BOOST_TEST(block < info_.blocks);
        BOOST_TEST(blocks.insert(block).second);
      }
      const auto end = item.first_position + item.tokens.size();
      BOOST_TEST(end <= item.blocks.size() * core::block_tokens);
      BOOST_TEST(end <= info_.context_max);
      if (!item.samples.empty()) {
        draws = true;
        time += 2 + static_cast<double>(end - 1) / 4;
      } else if (item.first_position > 0 || rows > 16) {
        time += rows * (item.first_position + rows / 2) / 16;
      }
    }
    if (draws) time += 10;
    BOOST_TEST(plan.opens.size() == plan.items.size());
    BOOST_TEST(plan.closes.size() == plan.items.size());
    core::StepResult result;
    result.elapsed = core::Duration(static_cast<std::int64_t>(time * 1000));
    return result;
  }
  void read_rows(core::BlockId, std::uint32_t, std::uint32_t, core::MutableBytes) override {}
  void write_rows(core::BlockId, std::uint32_t, std::uint32_t, core::Bytes) override {}

  int steps = 0;

 private:
  core::ReplicaInfo info_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(device_profile)

BOOST_AUTO_TEST_CASE(the_grid_doubles_up_to_its_limits) {
  const auto grid = ProfileGrid::up_to(48, 6, 1024);
  BOOST_TEST((grid.rows == std::vector<std::uint32_t>{1, 2, 4, 8, 16, 32, 48}));
  BOOST_TEST((grid.decodes == std::vector<std::uint32_t>{1, 2, 4, 6}));
  BOOST_TEST((grid.contexts == std::vector<std::uint32_t>{16, 64, 256, 1024}));
  BOOST_TEST((grid.chunks == std::vector<std::uint32_t>{16, 32, 48}));
  BOOST_TEST((grid.histories == std::vector<std::uint32_t>{0, 256, 976}));
  const auto least = ProfileGrid::up_to(1, 1, 1);
  BOOST_TEST((least.chunks == std::vector<std::uint32_t>{1}));
  BOOST_TEST((least.histories == std::vector<std::uint32_t>{0}));
}

BOOST_AUTO_TEST_CASE(a_step_is_taken_apart_and_put_together_again) {
  FormulaDevice device;
  auto grid = ProfileGrid::up_to(256, 16, 1024);
  grid.rounds = 2;
  std::size_t told = 0, all = 0;
  const auto times = measure(device, grid, [&](std::size_t done, std::size_t of) {
    BOOST_TEST(done == ++told);
    all = of;
    return true;
  });
  BOOST_REQUIRE(times);
  BOOST_TEST(told == all);
  BOOST_TEST(device.steps == static_cast<int>(all) * 3);
  for (const auto& dense : times->dense) BOOST_TEST(dense.time_us == 100 + 4 * dense.count);
  for (const auto& head : times->head) BOOST_TEST(head.time_us == 10 + 2 * head.count);
  std::size_t decodes = 0, prompts = 0, both = 0;
  for (const auto& point : times->attention) {
    double want = point.decodes * (std::max(point.context, 1U) - 1) / 4.0;
    if (point.chunk > 16 || point.history > 0) want += point.chunk * (point.history + point.chunk / 2.0) / 16;
    BOOST_TEST(std::abs(point.time_us - want) < 0.01);
    (point.chunk == 0 ? decodes : point.decodes == 0 ? prompts : both) += 1;
  }
  BOOST_TEST(decodes >= 15U);
  BOOST_TEST(prompts >= 10U);
  BOOST_TEST(both >= 20U);

  const sim::test::TestFolder folder;
  const std::string path = folder.file("deeper/tables");
  BOOST_REQUIRE(write_profile(path, *times, device.info(), 3));
  const auto profile = sim::read_profile(path, std::nullopt);
  BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
  BOOST_TEST(profile->model == "formula_s");
  BOOST_TEST(profile->costs.layers == 1);
  const auto check = check_profile(device, path, grid);
  BOOST_REQUIRE(check);
  BOOST_TEST(check->steps >= 6U);
  BOOST_TEST_MESSAGE(check->steps << " steps between the points, off by " << check->mean_percent << " % on average");
  BOOST_TEST(check->mean_percent < 10.0);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_measured_is_said) {
  FormulaDevice device;
  const auto stopped = measure(device, ProfileGrid::up_to(16, 2, 64), [](std::size_t done, std::size_t) { return done < 3; });
  BOOST_REQUIRE(!stopped);
  BOOST_TEST((stopped.error().code == core::Errc::cancelled));
  BOOST_TEST(stopped.error().message.find("3 of ") != std::string::npos);
  BOOST_TEST(device.steps <= 3 * 4);
  const sim::test::TestFolder folder;
  folder.write("taken", "a file");
  const auto written = write_profile(folder.file("taken"), {}, device.info(), 1);
  BOOST_REQUIRE(!written);
  BOOST_TEST(written.error().message.find(folder.file("taken")) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
