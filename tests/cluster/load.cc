#include "tests/cluster/load.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

namespace spillway::tests {

std::string bytes_of(const sdk::Completion& done) {
  std::string bytes;
  for (const auto& choice : done.choices) {
    for (const auto& token : choice.tokens) bytes += std::to_string(token.id) + " ";
    bytes += "|" + choice.text + "|" + choice.finish_reason + "\n";
  }
  return bytes;
}

double percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(std::lround(percent / 100.0 * static_cast<double>(values.size() - 1)));
  return values[at];
}

void Load::learn(sdk::Client& client, int width) {
  wanted_.assign(requests_.size(), "");
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < width; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < requests_.size(); at = next++) {
        const auto done = client.complete(requests_[at]);
        if (done) wanted_[at] = bytes_of(*done);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& bytes : wanted_) BOOST_REQUIRE(!bytes.empty());
}

void Load::note(std::string text) {
  constexpr std::size_t notes_max = 20;
  if (totals_.notes.size() < notes_max) totals_.notes.push_back(std::move(text));
}

void Load::run(sdk::Client& client) {
  while (!stopping_) {
    const std::size_t at = next_++ % requests_.size();
    const auto done = client.complete(requests_[at]);
    const std::lock_guard lock(mutex_);
    if (!done) {
      ++totals_.failed;
      note("a request failed: " + done.error().message);
      continue;
    }
    ++totals_.finished;
    totals_.tokens += done->usage.completion_tokens;
    totals_.moves += done->moves;
    totals_.restarts += done->restarts;
    totals_.reconnects += done->reconnects;
    totals_.gaps_ms.push_back(std::chrono::duration<double, std::milli>(done->longest_gap).count());
    totals_.ttft_ms.push_back(std::chrono::duration<double, std::milli>(done->time_to_first_token).count());
    if (bytes_of(*done) != wanted_[at]) {
      ++totals_.wrong;
      note("request " + done->request_id + " has other bytes than undisturbed:\n" + bytes_of(*done) + "wanted\n" + wanted_[at]);
    }
  }
}

void Load::start(std::vector<sdk::Client>& clients, int width) {
  for (auto& client : clients) {
    for (int i = 0; i < width; ++i) threads_.emplace_back([this, &client] { run(client); });
  }
}

Load::Totals Load::stop() {
  stopping_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  auto made = totals();
  for (const auto& text : made.notes) BOOST_TEST_MESSAGE(text);
  totals_.notes.clear();
  return made;
}

Load::Totals Load::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace spillway::tests
