// Asks a question and prints the answer as it comes.
//   complete 127.0.0.1:7403[,127.0.0.1:7413...] "Why is the sky blue?"

#include <spillway/client.h>

#include <iostream>
#include <sstream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: complete HOST:PORT[,HOST:PORT...] PROMPT\n";
    return 2;
  }
  spillway::sdk::ClientOptions options;
  std::istringstream list(argv[1]);
  for (std::string address; std::getline(list, address, ',');) options.endpoints.push_back({address, ""});
  auto client = spillway::sdk::Client::connect(options);
  if (!client) {
    std::cerr << "complete: " << client.error().message << "\n";
    return 1;
  }
  spillway::sdk::Request request;
  request.prompt = argv[2];
  request.max_tokens = 64;
  auto stream = client->stream(request);
  if (!stream) {
    std::cerr << "complete: " << stream.error().message << "\n";
    return 1;
  }
  for (const spillway::sdk::Chunk& chunk : *stream) std::cout << chunk.text << std::flush;
  std::cout << "\n";
  const auto answer = stream->wait();
  if (!answer) {
    std::cerr << "complete: " << answer.error().message << "\n";
    return 1;
  }
  std::cerr << answer->usage.completion_tokens << " tokens, " << answer->moves << " moves, " << answer->reconnects << " reconnects\n";
}
