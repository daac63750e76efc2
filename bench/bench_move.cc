// Pause of a move against the length of the context, on a running cluster with a real model.
//   spillway up cluster-config/examples/three-nodes.toml &   then   bench_move cluster-config/examples/three-nodes.toml

#include <algorithm>
#include <atomic>
#include <iomanip>
#include <iostream>
#include <thread>

#include "app/client_options.h"

namespace {

using namespace spillway;

double ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string node_of(sdk::Client& client, const std::string& request) {
  const auto status = client.status();
  if (!status) return "";
  for (const auto& stream : status->streams) {
    if (stream.request_id == request) return stream.node;
  }
  return "";
}

bool measure(sdk::Client& client, const std::vector<std::string>& nodes, int context) {
  sdk::Request request;
  for (int i = 0; i < context; ++i) request.prompt_tokens.push_back(100 + (i * 37 + context) % 20000);
  request.max_tokens = 400;
  request.ignore_eos = true;
  std::atomic<std::size_t> seen{0};
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&](const sdk::Chunk& chunk) { seen += chunk.tokens.size(); };
  auto stream = client.stream(request, callbacks);
  if (!stream) return false;
  while (seen < 5) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::vector<double> pauses, copies;
  std::uint64_t bytes = 0;
  std::uint32_t blocks = 0, steps = 0;
  for (int i = 0; i < 6; ++i) {
    const auto from = node_of(client, stream->request_id());
    std::string to;
    for (const auto& node : nodes) {
      if (node != from) to = node;
    }
    const auto moved = client.move(stream->request_id(), to);
    if (!moved) break;
    pauses.push_back(ms(moved->pause));
    if (moved->blocks_sent != moved->blocks) continue;  // the destination held a part already: no measure of the copy
    copies.push_back(ms(moved->copy));
    bytes = moved->bytes;
    blocks = moved->blocks;
    steps = moved->steps_during_copy;
  }
  stream->cancel();
  const auto done = stream->wait();
  if (pauses.empty()) return false;
  std::sort(pauses.begin(), pauses.end());
  std::cout << std::setw(8) << context << std::setw(8) << blocks << std::setw(12) << static_cast<double>(bytes) / 1e6 << std::setw(12)
            << (copies.empty() ? 0.0 : copies.front()) << std::setw(14) << steps << std::setw(14) << pauses[pauses.size() / 2]
            << std::setw(12) << pauses.back() << "\n";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: bench_move CLUSTER_FILE (of a running cluster)\n";
    return 2;
  }
  app::ClientFlags flags;
  flags.config = argv[1];
  int code = 0;
  auto client = app::connect(flags, code);
  if (!client) return code;
  const auto status = client->status();
  if (!status) return app::complain(status.error());
  std::vector<std::string> nodes;
  for (const auto& node : status->nodes) nodes.push_back(node.name);
  std::cout << std::fixed << std::setprecision(1) << " context  blocks   megabytes     copy ms  steps in copy  pause P50 ms  pause max\n";
  for (const int context : {64, 256, 1024, 2048, 4096}) {
    if (!measure(*client, nodes, context)) return 1;
  }
}
