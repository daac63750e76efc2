#include "cluster-config/check.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "cluster-config/suggest.h"
#include "cluster-config/units.h"
#include "cluster-config/values.h"
#include "core/step.h"

namespace spillway::config {
namespace {

std::string in_quotes(std::string_view text) {
  return '"' + std::string{text} + '"';
}

/// Names of one kind: each once, and no two with one digest.
class Names {
 public:
  Names(std::string_view what, Draft& draft, Report& report) : what_{what}, draft_{draft}, report_{report} {}

  /// The digest of the name; reports a clash at `path`.
  std::uint64_t add(const std::string& name, const std::string& path) {
    const auto id = draft_.name_id(name);
    if (name.empty()) return id;  // already reported as missing or wrong
    const auto [found, fresh] = by_id_.try_emplace(id, name);
    if (fresh) return id;
    if (found->second == name) {
      report_.add(ErrorKind::duplicate, path, "want a name of its own: another " + what_ + " is called " + in_quotes(name),
                  "rename one of the two");
    } else {
      report_.add(ErrorKind::name_collision, path,
                  "want a name with a digest of its own: " + in_quotes(name) + " and " + in_quotes(found->second) + " have the same",
                  "rename one of the two " + what_ + "s");
    }
    return id;
  }

 private:
  std::string what_;
  Draft& draft_;
  Report& report_;
  std::unordered_map<std::uint64_t, std::string> by_id_;
};

void check_names(Draft& draft, Report& report) {
  Names nodes{"node", draft, report};
  for (std::size_t i = 0; i < draft.cluster.nodes.size(); ++i) {
    auto& node = draft.cluster.nodes[i];
    node.id = {nodes.add(node.name, draft.node_paths[i] + ".name")};
  }
  Names models{"model", draft, report};
  for (auto& [name, model] : draft.cluster.models) model.id = {models.add(name, "models." + name)};
  Names tenants{"tenant", draft, report};
  for (auto& [name, tenant] : draft.cluster.tenants) tenant.id = {tenants.add(name, "tenants." + name)};
  Names callers{"client or token", draft, report};
  const auto& security = draft.cluster.security;
  for (std::size_t i = 0; i < security.clients.size(); ++i) {
    callers.add(security.clients[i].name, "security.clients[" + std::to_string(i) + "].name");
  }
  for (std::size_t i = 0; i < security.tokens.size(); ++i) {
    callers.add(security.tokens[i].name, "security.tokens[" + std::to_string(i) + "].name");
  }
}

void check_ports(const Draft& draft, Report& report) {
  std::map<std::pair<std::string, std::uint32_t>, const Node*> taken;
  for (std::size_t i = 0; i < draft.cluster.nodes.size(); ++i) {
    const auto& node = draft.cluster.nodes[i];
    const auto address = node.address == "localhost" ? std::string{"127.0.0.1"} : node.address;
    const Node* other = nullptr;
    for (std::uint32_t lane = 0; lane < 4; ++lane) {
      const auto [found, fresh] = taken.try_emplace({address, node.port + lane}, &node);
      if (!fresh && other == nullptr) other = found->second;
    }
    if (other == nullptr) continue;
    report.add(
        ErrorKind::port_collision, draft.node_paths[i] + ".port",
        "want ports of its own: " + in_quotes(node.name) + " needs " + std::to_string(node.port) + " to " + std::to_string(node.port + 3) +
            " on " + node.address + ", and " + in_quotes(other->name) + " has " + std::to_string(other->port) + " to " +
            std::to_string(other->port + 3),
        "put them at least 4 apart, for example: port = " + std::to_string(other->port < 65'500 ? other->port + 10 : other->port - 10));
  }
}

/// Reports every name of `used` that is no key of `known`.
template <class Map>
void check_references(const std::vector<std::string>& used, const Map& known, std::string_view what, const std::string& path,
                      Report& report) {
  for (const auto& name : used) {
    if (known.count(name) > 0) continue;
    std::vector<std::string_view> names;
    names.reserve(known.size());
    for (const auto& entry : known) names.push_back(entry.first);
    const auto near = nearest(name, names);
    auto fix = "define [" + std::string{what} + "s." + name + "] or name another";
    if (!near.empty()) fix = "did you mean " + in_quotes(near) + "?";
    report.add(ErrorKind::unknown_reference, path, "want a " + std::string{what} + " of this file: there is no " + in_quotes(name),
               std::move(fix));
  }
}

/// A real model has a file of its own or a name that can be pulled.
void check_known(const Draft& draft, const Model& model, Report& report) {
  const auto& names = draft.known_models;
  const auto path = "models." + model.name;
  if (names.empty() || model.kind != ModelKind::gguf || report.has(path + ".path") || !is_model_name(model.name)) return;
  if (report.failed_in(path + '.')) return;
  if (std::find(names.begin(), names.end(), model.known) != names.end()) return;
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  const auto near = nearest(model.known, {names.begin(), names.end()});
  report.add(ErrorKind::unknown_reference, report.has(path + ".known") ? path + ".known" : path,
             "want `path` or a known model (" + all + "): there is no " + in_quotes(model.known),
             near.empty() ? "add `path = \"FILE.gguf\"`, `known = \"" + names.front() + "\"` or `kind = \"paced\"`"
                          : "did you mean " + in_quotes(near) + "?");
}

void check_models(const Draft& draft, Report& report) {
  for (const auto& [name, model] : draft.cluster.models) {
    const auto path = "models." + name;
    check_known(draft, model, report);
    if (!is_model_name(name)) {
      report.add(ErrorKind::bad_name, path, "want a model name of 1 to 127 letters, digits and . _ - / : behind a letter or digit",
                 "for example: [models.\"smollm2-135m\"]");
    }
    if (report.has(path + ".known") && report.has(path + ".path")) {
      report.add(ErrorKind::exclusive, path + ".known", "want either `known` or `path`", "leave one of the two out");
    }
    if (model.kind == ModelKind::gguf && report.has(path + ".paced")) {
      report.add(ErrorKind::not_applicable, path + ".paced", "want no cost table: the model is not paced",
                 "add `kind = \"paced\"` to the model");
    }
    for (const auto* key : {".known", ".path"}) {
      if (model.kind != ModelKind::paced || !report.has(path + key)) continue;
      report.add(ErrorKind::not_applicable, path + key, "want neither `known` nor `path`: a paced model has no weights",
                 "leave it out, or write `kind = \"gguf\"`");
    }
    if (model.paced.page_bytes % core::block_tokens != 0) {
      report.add(ErrorKind::out_of_range, path + ".paced.page_bytes", "want a multiple of 16 bytes, one row for each token of a block",
                 "for example: page_bytes = \"4KiB\"");
    }
  }
}

void check_serving(const Draft& draft, std::size_t index, Report& report) {
  const auto& node = draft.cluster.nodes[index];
  const auto& path = draft.node_paths[index];
  check_references(node.models, draft.cluster.models, "model", path + ".models", report);
  if (report.has(path + ".kv_memory") && node.kv_blocks > 0) {
    report.add(ErrorKind::exclusive, path + ".kv_blocks", "want either `kv_blocks` or `kv_memory`", "leave one of the two out");
  }
  if (!node.has(Role::worker)) {
    for (const auto* key : {".models", ".replicas", ".kv_memory", ".kv_blocks"}) {
      if (!report.has(path + key)) continue;
      report.add(ErrorKind::not_applicable, path + key, "want it on workers alone: this node has not the role",
                 "leave it out or add \"worker\" to `roles`");
    }
    return;
  }
  for (const auto& name : node.models) {
    const auto found = draft.cluster.models.find(name);
    if (found == draft.cluster.models.end() || found->second.kind != ModelKind::paced || node.kv_blocks > 0) continue;
    if (node.kv_memory_bytes >= found->second.paced.page_bytes) continue;
    report.add(ErrorKind::out_of_range, path + ".kv_memory",
               "want room for one page of " + in_quotes(name) + ", " + format_size(found->second.paced.page_bytes),
               "for example: kv_memory = \"512MiB\"");
  }
}

/// Where some workers do one phase alone, others have to do the other.
void check_phases(const Draft& draft, Report& report) {
  PhaseSet present;
  std::string path;
  for (std::size_t i = 0; i < draft.cluster.nodes.size(); ++i) {
    const auto& node = draft.cluster.nodes[i];
    if (!node.has(Role::worker)) continue;
    present.bits |= node.phases.bits;
    if (path.empty() && report.has(draft.node_paths[i] + ".phases")) path = draft.node_paths[i] + ".phases";
  }
  for (const auto phase : {Phase::prefill, Phase::decode}) {
    if (present.empty() || present.has(phase) || path.empty()) continue;
    const std::string word = phase == Phase::prefill ? "prefill" : "decode";
    report.add(ErrorKind::missing_nodes, path, "want a worker with the phase " + word, "add \"" + word + "\" to the `phases` of a worker");
  }
}

void check_nodes(const Draft& draft, Report& report) {
  const auto& cluster = draft.cluster;
  RoleSet present;
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    // The members of a pool share one template: it is checked once.
    if (i > 0 && draft.node_paths[i] == draft.node_paths[i - 1]) continue;
    present.bits |= cluster.nodes[i].roles.bits;
    check_serving(draft, i, report);
  }
  if (cluster.nodes.empty()) {
    if (report.failed_in("nodes") || report.failed_in("pools")) return;
    report.add(ErrorKind::missing_nodes, "nodes", "want at least one node", "add [[nodes]] with a name");
    return;
  }
  for (const auto role : {Role::router, Role::worker}) {
    if (present.has(role)) continue;
    const std::string word{to_string(role)};
    report.add(ErrorKind::missing_nodes, "nodes", "want a node with the role " + word, "add \"" + word + "\" to the `roles` of a node");
  }
  check_phases(draft, report);
  if (present.has(Role::worker) && cluster.models.empty() && !report.failed_in("models")) {
    report.add(ErrorKind::missing_key, "models", "is missing: want at least one model for the workers", "add [models.\"smollm2-135m\"]");
  }
}

void check_callers(const Draft& draft, Report& report) {
  const auto& security = draft.cluster.security;
  for (std::size_t i = 0; i < security.clients.size(); ++i) {
    const auto path = "security.clients[" + std::to_string(i) + "]";
    check_references(security.clients[i].tenants, draft.cluster.tenants, "tenant", path + ".tenants", report);
  }
  std::set<std::string> secrets;
  for (std::size_t i = 0; i < security.tokens.size(); ++i) {
    const auto& token = security.tokens[i];
    const auto path = "security.tokens[" + std::to_string(i) + "]";
    check_references(token.tenants, draft.cluster.tenants, "tenant", path + ".tenants", report);
    const bool inline_text = report.has(path + ".token");
    const bool file = report.has(path + ".token_file");
    if (inline_text && file)
      report.add(ErrorKind::exclusive, path + ".token", "want either `token` or `token_file`", "leave one of the two out");
    if (!inline_text && !file) {
      report.add(ErrorKind::missing_key, path + ".token_file", "is missing: want the bearer secret",
                 "add `token_file = \"keys/ops.token\"`");
    }
    if (!token.token.empty() && !secrets.insert(token.token).second) {
      report.add(ErrorKind::duplicate, path + ".token", "want a secret of its own: another token has the same",
                 "draw a new one: spillway keys secret");
    }
  }
}

/// The first key of the cluster that lets others than this machine connect; empty when all is loopback.
std::string off_loopback(const Draft& draft) {
  for (std::size_t i = 0; i < draft.cluster.nodes.size(); ++i) {
    const auto& node = draft.cluster.nodes[i];
    if (!is_loopback(node.address)) return draft.node_paths[i] + ".address";
    if (!node.bind.empty() && !is_loopback(node.bind)) return draft.node_paths[i] + ".bind";
  }
  return {};
}

void check_keys(const Draft& draft, Report& report) {
  std::map<std::string, std::string> owner;
  const auto claim = [&](const std::string& key, const std::string& name, const std::string& path) {
    const auto [found, fresh] = owner.try_emplace(key, name);
    if (fresh || key.empty()) return;
    report.add(ErrorKind::duplicate, path, "want a key of its own: " + in_quotes(found->second) + " has the same",
               "make another: spillway keys new --out keys/" + name + ".key");
  };
  for (std::size_t i = 0; i < draft.cluster.nodes.size(); ++i) {
    const auto& node = draft.cluster.nodes[i];
    const auto path = draft.node_paths[i] + (node.pool.empty() ? ".public_key" : ".public_keys");
    claim(node.public_key, node.name, path);
    // A key that stands in the file but is wrong has been reported.
    if (!draft.cluster.security.curve || !node.public_key.empty() || report.has(path)) continue;
    report.add(ErrorKind::key_required, path,
               "is missing: " + in_quotes(node.name) + " needs a CURVE key pair, as nodes reach beyond loopback or curve is on",
               "on its machine run `spillway keys new --out keys/" + node.name + ".key` and put the printed public key here");
  }
  const auto& clients = draft.cluster.security.clients;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    claim(clients[i].public_key, clients[i].name, "security.clients[" + std::to_string(i) + "].public_key");
  }
}

void check_security(Draft& draft, Report& report) {
  auto& security = draft.cluster.security;
  const auto outside = off_loopback(draft);
  security.curve = draft.curve_wish.value_or(!outside.empty());
  if (!outside.empty() && !security.curve) {
    report.add(ErrorKind::curve_required, "security.curve", "want true: " + outside + " reaches beyond loopback",
               "leave the key out, and make keys with `spillway keys new`");
    security.curve = true;
  }
  check_keys(draft, report);
  const bool text = report.has("security.secret");
  const bool file = report.has("security.secret_file");
  if (text && file) {
    report.add(ErrorKind::exclusive, "security.secret", "want either `secret` or `secret_file`", "leave one of the two out");
  }
  if (!outside.empty() && !text && !file) {
    report.add(ErrorKind::secret_required, "security.secret_file",
               "is missing: " + outside + " reaches beyond loopback, so the cluster needs a secret",
               "run `spillway keys secret --out keys/cluster.secret`, copy it to each router and name it here");
  }
}

/// `low` < `high` (or <= when `equal`), both keys of the file.
template <class T>
void rise(const T& low, const T& high, const std::string& low_key, const std::string& high_key, bool equal, Report& report) {
  if (low < high || (equal && low == high)) return;
  report.add(ErrorKind::out_of_order, report.has(low_key) ? low_key : high_key,
             "want " + low_key + (equal ? " at most " : " below ") + high_key, "lower the one or raise the other");
}

void check_order(const Cluster& cluster, Report& report) {
  const auto& t = cluster.timings;
  rise(t.heartbeat_interval, t.suspect_after, "timings.heartbeat_interval", "timings.suspect_after", false, report);
  rise(t.suspect_after, t.dead_after, "timings.suspect_after", "timings.dead_after", false, report);
  rise(t.client_ping_interval, t.client_silence_max, "timings.client_ping_interval", "timings.client_silence_max", false, report);
  rise(t.ask_owner_interval, t.lease, "timings.ask_owner_interval", "timings.lease", false, report);
  rise(t.restart_backoff_min, t.restart_backoff_max, "timings.restart_backoff_min", "timings.restart_backoff_max", true, report);
  const auto& s = cluster.spill;
  rise(s.free_low_percent, s.free_high_percent, "spill.free_low_percent", "spill.free_high_percent", false, report);
  const auto& b = cluster.batching;
  rise(b.input_token_cost, b.output_token_cost, "batching.input_token_cost", "batching.output_token_cost", true, report);
  rise(cluster.limits.frame_bytes_max, cluster.limits.credit_bytes, "limits.frame_bytes_max", "limits.credit_bytes", true, report);
}

}  // namespace

void check_cluster(Draft& draft, Report& report) {
  check_names(draft, report);
  check_ports(draft, report);
  check_models(draft, report);
  check_nodes(draft, report);
  for (const auto& [name, tenant] : draft.cluster.tenants) {
    for (const auto& rung : tenant.rungs) {
      if (rung.kind != core::Rung::Kind::model) continue;
      check_references({rung.model}, draft.cluster.models, "model", "tenants." + name + ".ladder", report);
    }
    if (is_name(name)) continue;
    report.add(ErrorKind::bad_name, "tenants." + name, "want a tenant name of 1 to 63 letters, digits and . _ - behind a letter or digit",
               "for example: [tenants.newsroom]");
  }
  check_callers(draft, report);
  check_security(draft, report);
  check_order(draft.cluster, report);
}

}  // namespace spillway::config
