#include "app/load_predict.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/app/run_command.h"

namespace spillway::app {
namespace {

struct Files {
  TestFolder folder;
  std::string cluster = folder.file("cluster.toml");
  explicit Files(const std::string& model = "kind = \"paced\"\n[models.m.paced]\nstep_us = 10000\n") {
    std::ofstream{cluster} << "version = 1\n[cluster]\nname = \"test\"\n[models.m]\n"
                           << model << "[[nodes]]\nname = \"red\"\nport = 7400\nkv_blocks = 512\n[[nodes]]\nname = \"green\"\nport = 7410\n"
                           << "kv_blocks = 512\n[tenants.one]\n";
  }
};

/// A request each 100 ms, of two tenants in turn.
sim::Workload workload_of(std::uint32_t count) {
  sim::WorkloadBuilder builder;
  for (std::uint32_t i = 0; i < count; ++i) {
    sim::DraftRequest draft;
    draft.arrival_ns = std::int64_t{i} * 100'000'000;
    draft.input_tokens = 20 + i;
    draft.output_tokens = 11;
    draft.tenant = i % 2 == 0 ? "sport" : "news";
    builder.add(draft);
  }
  return builder.finish().value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(load_predict)

BOOST_AUTO_TEST_CASE(the_same_requests_come_at_the_same_times_under_the_names_of_the_cluster) {
  const Files files;
  const auto workload = workload_of(40);
  const auto run = predict_load(workload, {files.cluster, "", {"one", "one"}, {""}, 1});
  BOOST_REQUIRE_MESSAGE(run, run.error().message);
  BOOST_TEST(run->name == "predicted");
  BOOST_REQUIRE(run->records.size() == 40U);
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto& r = run->records[i];
    BOOST_TEST(r.arrival_ns == workload.requests[i].arrival_ns);
    BOOST_TEST(r.prompt_tokens == 20 + i);
    BOOST_TEST(r.output_tokens == 11U);
    BOOST_TEST((r.outcome == sim::RequestOutcome::finished));
    BOOST_TEST(run->tenants.at(r.tenant) == "one");
    // Ten steps of ten milliseconds between the first token and the last.
    BOOST_TEST(r.end_ns - r.first_token_ns >= 100'000'000);
    BOOST_TEST(r.end_ns - r.first_token_ns < 200'000'000);
  }
  const auto again = predict_load(workload, {files.cluster, "", {"one", "one"}, {""}, 1});
  BOOST_REQUIRE(again);
  BOOST_TEST((again->records == run->records));
  const auto scenario = files.folder.file("far.toml");
  std::ofstream{scenario} << "version = 1\n[network]\nclient_latency = \"2ms\"\n";
  const auto far = predict_load(workload, {files.cluster, "", {"one", "one"}, {""}, 1, scenario});
  BOOST_REQUIRE_MESSAGE(far, (far ? "" : far.error().message));
  std::int64_t later = 0;
  for (std::size_t i = 0; i < 40; ++i) later += far->records[i].first_token_ns - run->records[i].first_token_ns;
  BOOST_TEST(later >= 40 * 3'000'000);  // there and back, less where a step had begun that they now catch
}

BOOST_AUTO_TEST_CASE(a_model_without_measured_times_is_refused) {
  const Files files("path = \"/nowhere/m.gguf\"\n");
  const auto run = predict_load(workload_of(1), {files.cluster, "", {"one"}, {"m"}, 1});
  BOOST_REQUIRE(!run);
  BOOST_TEST(run.error().message.find("profile") != std::string::npos, run.error().message);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
