// Token buckets and ladders, through real processes: what a tenant is told, and that one bucket serves all routers.

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

sdk::Client as(const UpProcess& cluster, std::size_t router, const std::string& tenant) {
  sdk::ClientOptions options;
  options.endpoints = {cluster.endpoints(router).front()};
  options.tenant = tenant;
  auto client = sdk::Client::connect(options);
  BOOST_REQUIRE_MESSAGE(client.ok(), (client ? "" : client.error().message));
  return std::move(*client);
}

sdk::Request tokens(std::uint32_t prompt, std::uint32_t answer) {
  sdk::Request request;
  request.prompt_tokens.assign(prompt, 300);
  request.max_tokens = answer;
  request.ignore_eos = true;
  return request;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(brown_out)

BOOST_AUTO_TEST_CASE(one_bucket_serves_all_routers_and_its_ladder_is_climbed_before_anybody_is_refused) {
  const std::vector<std::string> names{"red", "green", "blue"};
  const int port = free_ports(3);
  // A token a second: what a test takes is not made good while it lasts (well under 50 s).
  UpProcess cluster(
      cluster_toml(names, port, "paced", "kind = \"paced\"\n[models.paced.paced]\nstep_us = 1000\n", "kv_blocks = 256",
                   "[tenants.capped]\ntokens_per_second = 1\nburst_tokens = 210\nladder = [\"shorter:20\"]\n[tenants.free]\n"),
      names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  std::vector<std::string> outcomes;
  for (std::size_t i = 0; i < 4; ++i) {
    auto client = as(cluster, i % 3, "capped");
    const auto done = client.complete(tokens(10, 100));
    if (!done) {
      outcomes.push_back(std::string(sdk::to_string(done.error().code)));
      BOOST_TEST((done.error().retry_after > milliseconds(0)));
      continue;
    }
    outcomes.push_back(done->rungs.empty() ? "as asked" : done->rungs.front() + " by " + done->pressure);
    BOOST_TEST(done->choices.front().tokens.size() == (done->rungs.empty() ? 100U : 20U));
    BOOST_TEST(done->model.empty());
  }
  // 110 of 210, then three at 30 would be 90 of the 100 left: all fit, and a fifth would not.
  const std::vector<std::string> want{"as asked", "shorter:20 by quota", "shorter:20 by quota", "shorter:20 by quota"};
  BOOST_TEST(outcomes == want, boost::test_tools::per_element());
  auto client = as(cluster, 1, "capped");
  const auto refused = client.complete(tokens(100, 100));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code == sdk::Code::queue_full), refused.error().message);
  BOOST_TEST((refused.error().retry_after > milliseconds(0)));
  auto other = as(cluster, 1, "free");
  BOOST_TEST(other.complete(tokens(10, 100)).ok());
  const auto status = other.status();
  BOOST_REQUIRE(status.ok());
  std::uint64_t shorter = 0;
  for (const auto& [name, value] : status->counters) shorter += name == "rungs_shorter" ? value : 0;
  BOOST_TEST(shorter == 3U);
}

BOOST_AUTO_TEST_CASE(a_deadline_that_the_large_model_would_miss_is_met_by_the_small_one_in_its_own_words) {
  const int port = free_ports(1);
  UpProcess cluster(cluster_toml({"red"}, port, "large", "kind = \"paced\"\n[models.large.paced]\nstep_us = 100000\n", "kv_blocks = 256",
                                 "[models.small]\nkind = \"paced\"\n[models.small.paced]\nstep_us = 1000\nvocabulary = 500\n"
                                 "[tenants.default]\nladder = [\"model:small\"]\n"),
                    {"red"}, port);
  BOOST_REQUIRE(cluster.wait_ready());
  auto client = cluster.client();
  sdk::Request request;
  request.prompt = "And now the weather";
  request.model = "large";
  request.max_tokens = 60;
  request.ignore_eos = true;
  request.deadline = milliseconds(3000);  // six seconds of the large model
  // Until it has told how fast it is nothing is refused, and the deadline cuts the answer.
  sdk::Completion done;
  for (int tries = 0; tries < 10 && done.rungs.empty(); ++tries) {
    auto answer = client.complete(request);
    BOOST_REQUIRE_MESSAGE(answer.ok(), (answer ? "" : answer.error().message));
    done = std::move(*answer);
  }
  BOOST_TEST((done.rungs == std::vector<std::string>{"model:small"}));
  BOOST_TEST(done.pressure == "deadline");
  BOOST_TEST(done.model == "small");
  request.deadline = milliseconds(0);
  request.model = "small";
  const auto small = client.complete(request);
  BOOST_REQUIRE(small.ok());
  BOOST_TEST(small->rungs.empty());
  BOOST_TEST(small->choices.front().tokens.size() == 60U);
  BOOST_TEST(done.choices.front().text == small->choices.front().text);
  BOOST_TEST((done.prompt_tokens == small->prompt_tokens));
  // The command line says so too.
  const auto ran = run({spillway_binary(), "complete", "--config", cluster.config(), "--prompt", "And now the weather", "--max-tokens",
                        "60", "--ignore-eos", "--deadline-ms", "3000", "--json"});
  BOOST_REQUIRE_MESSAGE(ran.code == 0, ran.err);
  const auto object = boost::json::parse(ran.out).as_object();
  BOOST_TEST(object.at("rungs").as_array().size() == 1U);
  BOOST_TEST(object.at("rungs").as_array().at(0).as_string() == "model:small");
  BOOST_TEST(object.at("pressure").as_string() == "deadline");
  BOOST_TEST(object.at("model").as_string() == "small");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
