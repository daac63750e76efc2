#include "app/client_options.h"

#include <algorithm>
#include <iostream>
#include <thread>
#include <utility>

#include "cluster-config/load.h"
#include "cluster-config/secrets.h"

namespace spillway::app {

void ClientFlags::add(CLI::App& app, bool with_tenant) {
  app.add_option("--config", config, "Cluster file; else $SPILLWAY_CONFIG, else ./spillway.toml")->type_name("FILE");
  app.add_option("--key", key, "Key file of this client (spillway keys new), needed off loopback")->type_name("FILE");
  app.add_option("--token", token, "Bearer token of this client, where the cluster file lists tokens");
  app.add_option("--router", router, "Node to ask first; the others follow when it is gone")->type_name("NODE");
  if (with_tenant) app.add_option("--tenant", tenant, "Tenant to act for; default: the first this client may use");
}

core::Result<sdk::ClientOptions> client_options(const ClientFlags& flags) {
  auto file = config::find_config(flags.config.empty() ? std::nullopt : std::optional<std::filesystem::path>(flags.config));
  if (!file) return tl::make_unexpected(file.error());
  const auto cluster = config::load_cluster(*file);
  if (!cluster) return core::fail(core::Errc::bad_config, config::to_error(cluster.error()).message);
  sdk::ClientOptions options;
  std::vector<const config::Node*> routers;
  for (const auto& node : cluster->nodes) {
    if (node.has(config::Role::router)) routers.push_back(&node);
  }
  if (!flags.router.empty()) {
    const auto wanted = [&](const config::Node* node) { return node->name == flags.router; };
    if (std::none_of(routers.begin(), routers.end(), wanted)) {
      return core::fail(core::Errc::unknown_node,
                        "--router " + flags.router + ": no node of that name has the role router in " + file->string());
    }
    std::stable_partition(routers.begin(), routers.end(), wanted);
  }
  for (const auto* node : routers) {
    options.endpoints.push_back({"tcp://" + node->address + ":" + std::to_string(node->ports.client), node->public_key});
  }
  options.tenant = flags.tenant;
  options.token = flags.token;
  if (!flags.key.empty()) {
    auto keys = config::read_key_file(flags.key);
    if (!keys) return tl::make_unexpected(keys.error());
    options.public_key = keys->public_key;
    options.secret_key = keys->secret_key;
  } else if (cluster->security.curve && flags.token.empty()) {
    return core::fail(core::Errc::unauthorized,
                      "this cluster needs a key: give --key FILE (spillway keys new makes one; its public half "
                      "goes under security.clients in the cluster file)");
  }
  return options;
}

int complain(const std::string& message, int code) {
  std::cerr << "spillway: " << message << "\n";
  return code;
}

int complain(const sdk::Error& error) {
  std::string text = error.message;
  if (error.retry_after.count() > 0) text += " (retry after " + std::to_string(error.retry_after.count()) + " ms)";
  return complain(text, error.code == sdk::Code::bad_argument ? 2 : 1);
}

namespace {

constexpr auto connect_pause = std::chrono::milliseconds(100);

/// Whether every endpoint's port is closed. The library gives one code to all that may pass, so its words decide.
bool nobody_listens(const sdk::ClientOptions& options, const sdk::Error& error) {
  return error.code == sdk::Code::unavailable && std::all_of(options.endpoints.begin(), options.endpoints.end(), [&](const auto& endpoint) {
           return error.message.find("nobody listens at " + endpoint.address + ")") != std::string::npos;
         });
}

}  // namespace

std::optional<sdk::Client> connect(const ClientFlags& flags, int& code, std::chrono::milliseconds wait) {
  const auto options = client_options(flags);
  if (!options) {
    code = complain(options.error().message, 2);
    return std::nullopt;
  }
  const auto until = std::chrono::steady_clock::now() + wait;
  for (bool told = false;;) {
    auto client = sdk::Client::connect(*options);
    if (client) return std::move(*client);
    if (!nobody_listens(*options, client.error()) || std::chrono::steady_clock::now() >= until) {
      code = complain(client.error());
      return std::nullopt;
    }
    if (!std::exchange(told, true)) std::cerr << "waiting for the cluster ..." << std::endl;
    std::this_thread::sleep_for(connect_pause);
  }
}

}  // namespace spillway::app
