// spillway keys new, secret, show
#include <boost/json.hpp>
#include <cstring>
#include <iostream>
#include <memory>

#include "app/client_options.h"
#include "app/commands.h"
#include "cluster-config/secrets.h"
#include "core/digest.h"
#include "net/curve.h"

namespace spillway::app {
namespace {

namespace json = boost::json;

struct KeysFlags {
  std::string file;
  bool json = false;
};

int print(const KeysFlags& flags, const json::object& all, const std::string& text) {
  std::cout << (flags.json ? json::serialize(all) + "\n" : text);
  return 0;
}

int new_keys(const KeysFlags& flags) {
  const auto made = net::make_key_pair();
  if (!made) return complain(made.error().message);
  const config::KeyPair keys{made->public_key, made->secret_key};
  if (flags.file.empty()) {
    return print(flags, {{"public", keys.public_key}, {"secret", keys.secret_key}},
                 "public = \"" + keys.public_key + "\"\nsecret = \"" + keys.secret_key + "\"\n");
  }
  if (const auto written = config::write_key_file(flags.file, keys); !written) return complain(written.error().message);
  if (!flags.json) std::cerr << "wrote " << flags.file << " (mode 0600); the cluster file wants this public key:\n";
  return print(flags, {{"public", keys.public_key}, {"file", flags.file}}, keys.public_key + "\n");
}

int new_secret(const KeysFlags& flags) {
  core::TenantSecret secret{};
  for (std::size_t at = 0; at < secret.size(); at += sizeof(std::uint64_t)) {
    const auto word = core::random_u64();
    std::memcpy(secret.data() + at, &word, sizeof word);
  }
  if (flags.file.empty()) {
    const auto text = config::to_hex(secret);
    return print(flags, {{"secret", text}}, text + "\n");
  }
  if (const auto written = config::write_secret_file(flags.file, secret); !written) return complain(written.error().message);
  if (!flags.json) std::cerr << "wrote " << flags.file << " (mode 0600); name it in the cluster file as security.secret_file\n";
  return print(flags, {{"file", flags.file}}, {});
}

int show(const KeysFlags& flags) {
  const auto keys = config::read_key_file(flags.file);
  if (!keys) return complain(keys.error().message);
  return print(flags, {{"public", keys->public_key}, {"file", flags.file}}, keys->public_key + "\n");
}

}  // namespace

void add_keys_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("keys", "Make the keys and secrets that a cluster beyond loopback needs");
  command->require_subcommand(1);
  const auto flags = std::make_shared<KeysFlags>();
  auto* make = command->add_subcommand("new", "Make a CURVE key pair for a node or client");
  make->add_option("--out", flags->file, "Write the pair to this file, mode 0600, and print the public half alone");
  make->add_flag("--json", flags->json, "Print one JSON object");
  make->callback([flags, &run] { run = [flags] { return new_keys(*flags); }; });
  auto* secret = command->add_subcommand("secret", "Make a cluster, tenant or token secret");
  secret->add_option("--out", flags->file, "Write it to this file, mode 0600, and print nothing");
  secret->add_flag("--json", flags->json, "Print one JSON object");
  secret->callback([flags, &run] { run = [flags] { return new_secret(*flags); }; });
  auto* public_half = command->add_subcommand("show", "Print the public half of a key file");
  public_half->add_option("FILE", flags->file, "Key file")->required();
  public_half->add_flag("--json", flags->json, "Print one JSON object");
  public_half->callback([flags, &run] { run = [flags] { return show(*flags); }; });
}

}  // namespace spillway::app
