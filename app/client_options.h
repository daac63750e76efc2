#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "sdk/include/spillway/client.h"

namespace spillway::app {

/// How a command reaches a running cluster: --config FILE, --key FILE, --token, --tenant, --router NAME.
struct ClientFlags {
  std::string config;
  std::string key;
  std::string token;
  std::string tenant;
  std::string router;

  /// `with_tenant`: also --tenant.
  void add(CLI::App& app, bool with_tenant);
};

/// Endpoints of all routers of the cluster file, the one named by --router first. Error: the file's errors, or a router that is none.
core::Result<sdk::ClientOptions> client_options(const ClientFlags& flags);

/// Connects, or prints why not to stderr, puts the exit code into `code` and returns nothing. While nobody listens at any endpoint it
/// is tried again for `wait`: a cluster that was started a moment ago is not there yet.
std::optional<sdk::Client> connect(const ClientFlags& flags, int& code, std::chrono::milliseconds wait = std::chrono::milliseconds(0));

/// "spillway COMMAND: message" on stderr; the exit code: 2 for a wrong use, 1 for a failure.
int complain(const std::string& message, int code = 1);
int complain(const sdk::Error& error);

}  // namespace spillway::app
