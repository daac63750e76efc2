#include "tests/sim/workload_samples.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/digest.h"
#include "sim/workload_file.h"
#include "sim/workload_random.h"

namespace spillway::sim::test {

Workload sample_workload(std::uint64_t seed, std::uint32_t requests) {
  static const std::string tenants[] = {"news", "sport, live", "a \"quoted\" one"};
  CounterRandom random(seed, RandomUse::test);
  WorkloadBuilder builder;
  std::vector<std::pair<std::uint64_t, std::vector<std::uint32_t>>> open(20);  // session and its requests
  std::uint64_t next_session = 1;
  std::uint64_t next_block = 1'000'000;
  std::int64_t t = 0;
  for (std::uint32_t i = 0; i < requests; ++i) {
    DraftRequest request;
    if (random.below(4) != 0) t += static_cast<std::int64_t>(random.exponential(3e8));
    request.arrival_ns = t;
    request.input_tokens = i + 1;
    request.output_tokens = static_cast<std::uint32_t>(random.below(500));
    request.tenant = tenants[random.below(3)];
    request.model = random.below(2) == 0 ? "large" : "small";
    request.service_class = static_cast<core::ServiceClass>(random.below(3));
    request.deadline_ns = random.below(2) == 0 ? 0 : 3'000'000'000;
    auto& [session, turns] = open[random.below(open.size())];
    if (random.below(5) == 0) session = 0, turns.clear();
    if (random.below(2) == 0) {
      if (session == 0) session = next_session++;
      request.session = session;
      if (!turns.empty()) {
        request.parent = turns.back();
        request.think_ns = static_cast<std::int64_t>(random.below(1'000'000'000));
        request.supersedes = random.below(3) == 0;
      }
    }
    std::vector<std::uint64_t> blocks;
    if (random.below(3) != 0) {
      request.block_tokens = 16;
      const std::uint64_t shared = random.below(4);
      while ((blocks.size() + 1) * 16 <= request.input_tokens && blocks.size() < 12)
        blocks.push_back(blocks.size() < 4 ? shared * 100 + blocks.size() : next_block++);
      request.blocks = blocks;
    }
    const auto index = builder.add(request);
    if (request.session != 0) turns.push_back(index);
  }
  return builder.finish().value();
}

std::string text_of(const Workload& workload) {
  std::ostringstream out;
  write_workload(workload, WorkloadForm::jsonl, out);
  return out.str();
}

std::uint64_t digest_of(const Workload& workload) {
  const auto text = text_of(workload);
  return core::checksum64(std::as_bytes(std::span(text)));
}

void check_normal_form(const Workload& workload) {
  std::uint64_t next_place = 0;
  std::uint32_t sessions = 0;
  std::uint32_t blocks = 0;
  std::uint32_t tenants = 0;
  std::uint32_t models = 0;
  bool good = true;
  const auto first_use = [&](std::uint32_t number, std::uint32_t& next) {
    good = good && number <= next;
    if (number == next) ++next;
  };
  for (std::size_t i = 0; i < workload.requests.size(); ++i) {
    const auto& request = workload.requests[i];
    good = good && (i == 0 || workload.requests[i - 1].arrival_ns <= request.arrival_ns) && request.first_block == next_place;
    next_place += request.block_count;
    if (request.session != 0) {
      good = good && request.session <= sessions + 1;
      sessions = std::max(sessions, request.session);
    }
    if (request.parent != no_parent)
      good = good && request.parent < i && request.session != 0 && workload.requests[request.parent].session == request.session;
    for (const auto block : workload.blocks_of(request)) first_use(block, blocks);
    first_use(request.tenant, tenants);
    first_use(request.model, models);
    if (good) continue;
    BOOST_ERROR("request " << i << " breaks the normal form");
    return;
  }
  BOOST_TEST(next_place == workload.blocks.size());
  BOOST_TEST(sessions == workload.sessions);
  BOOST_TEST(blocks == workload.distinct_blocks);
  BOOST_TEST(tenants == workload.tenants.size());
  BOOST_TEST(models == workload.models.size());
}

}  // namespace spillway::sim::test
