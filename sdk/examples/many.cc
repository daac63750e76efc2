// Keeps several requests running at once with callbacks, and cancels the last one half-way.
//   many 127.0.0.1:7403 COUNT

#include <spillway/client.h>

#include <atomic>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: many HOST:PORT COUNT\n";
    return 2;
  }
  spillway::sdk::ClientOptions options;
  options.endpoints.push_back({argv[1], ""});
  auto client = spillway::sdk::Client::connect(options);
  if (!client) {
    std::cerr << "many: " << client.error().message << "\n";
    return 1;
  }
  const int count = std::stoi(argv[2]);
  std::atomic<int> tokens{0};
  std::atomic<int> failed{0};
  std::vector<spillway::sdk::Stream> streams;
  for (int i = 0; i < count; ++i) {
    spillway::sdk::Request request;
    request.prompt = "Caption " + std::to_string(i) + ": the ball is in the";
    request.max_tokens = 32;
    request.ignore_eos = true;
    request.service_class = spillway::sdk::ServiceClass::live;
    spillway::sdk::StreamCallbacks callbacks;
    callbacks.on_chunk = [&](const spillway::sdk::Chunk& chunk) { tokens += static_cast<int>(chunk.tokens.size()); };
    callbacks.on_end = [&](const spillway::sdk::Result<spillway::sdk::Completion>& end) { failed += end ? 0 : 1; };
    auto stream = client->stream(request, callbacks);
    if (!stream) {
      std::cerr << "many: " << stream.error().message << "\n";
      return 1;
    }
    streams.push_back(std::move(*stream));
  }
  streams.back().cancel();
  for (auto& stream : streams) stream.wait();
  std::cout << "streams " << count << ", tokens " << tokens << ", failed " << failed << "\n";
  return failed == 0 ? 0 : 1;
}
