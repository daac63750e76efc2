// A client process to be killed: connects to the endpoint given, says "ready" once greeted, and stays.
#include <unistd.h>

#include <atomic>
#include <iostream>

#include "net/client_connection.h"

int main(int argc, char** argv) {
  using namespace spillway;
  if (argc != 2) return 2;
  net::ClientConnectionOptions options;
  options.endpoint = argv[1];
  std::atomic<bool> lost{false};
  auto connection = net::connect_client(options, {[](core::ClientMessage&& message) {
                                                    if (std::holds_alternative<core::ServerHello>(message))
                                                      std::cout << "ready" << std::endl;
                                                  },
                                                  [&](const core::Error&) { lost = true; }});
  if (!connection) return 1;
  while (!lost) ::usleep(10'000);
  return 0;
}
