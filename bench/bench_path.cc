// Cost of the road from the worker to the client and back, per token: actors, links, wire, client library. Runs against a cluster
// of paced nodes whose step costs a known time; what is over it is ours.
//   spillway up bench/path.toml &   then   bench_path bench/path.toml

#include <algorithm>
#include <iomanip>
#include <iostream>

#include "app/client_options.h"

namespace {

using namespace spillway;

double us(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bench_path CLUSTER_FILE (of a running cluster of paced nodes)\n";
    return 2;
  }
  app::ClientFlags flags;
  flags.config = argv[1];
  int code = 0;
  auto client = app::connect(flags, code);
  if (!client) return code;
  std::cout << std::fixed << std::setprecision(1) << " streams   us per step   tokens/s\n";
  for (const int streams : {1, 8, 32}) {
    std::vector<sdk::Stream> running;
    const auto begin = std::chrono::steady_clock::now();
    constexpr std::uint32_t tokens = 1000;
    for (int i = 0; i < streams; ++i) {
      sdk::Request request;
      request.prompt = "Line " + std::to_string(i);
      request.max_tokens = tokens;
      request.ignore_eos = true;
      auto stream = client->stream(request, sdk::StreamCallbacks{});
      if (!stream) return app::complain(stream.error());
      running.push_back(std::move(*stream));
    }
    for (auto& stream : running) {
      if (const auto done = stream.wait(); !done) return app::complain(done.error());
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    std::cout << std::setw(8) << streams << std::setw(14) << us(took) / tokens << std::setw(11) << streams * tokens * 1e6 / us(took)
              << "\n";
  }
}
