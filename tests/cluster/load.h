#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

/// Tokens, text and ends of all choices: what must not change whatever happens to the cluster.
std::string bytes_of(const sdk::Completion& done);

/// The value below which `percent` of the values lie; 0 without values.
double percentile(std::vector<double> values, double percent);

/// A closed loop of streams over a fixed set of requests: as soon as one ends the next begins, and every answer is compared
/// with that of an undisturbed run.
class Load {
 public:
  struct Totals {
    std::uint64_t finished = 0;
    std::uint64_t tokens = 0;
    std::uint64_t wrong = 0;   ///< other bytes than undisturbed
    std::uint64_t failed = 0;  ///< ended with an error
    std::uint64_t moves = 0;
    std::uint64_t restarts = 0;
    std::uint64_t reconnects = 0;
    std::vector<double> gaps_ms;  ///< longest of each answer
    std::vector<double> ttft_ms;
    std::vector<std::string> notes;  ///< what went wrong, the first few: threads may not print
  };

  explicit Load(std::vector<sdk::Request> requests) : requests_(std::move(requests)) {}
  ~Load() { stop(); }

  /// Learns the undisturbed answers, `width` at a time.
  void learn(sdk::Client& client, int width);
  /// Keeps `width` streams running through each of the clients.
  void start(std::vector<sdk::Client>& clients, int width);
  /// Ends the loop, waits for what runs and prints the notes.
  Totals stop();
  Totals totals() const;
  const std::vector<std::string>& wanted() const { return wanted_; }

 private:
  void run(sdk::Client& client);
  void note(std::string text);

  std::vector<sdk::Request> requests_;
  std::vector<std::string> wanted_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  Totals totals_;
};

}  // namespace spillway::tests
