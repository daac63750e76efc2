#include "cluster-config/load.h"

#include <cstdlib>
#include <fstream>

#include "cluster-config/check.h"
#include "cluster-config/report.h"
#include "cluster-config/rungs.h"
#include "cluster-config/schema.h"
#include "cluster-config/suggest.h"
#include "cluster-config/tree.h"
#include "cluster-config/values.h"

namespace spillway::config {
namespace {

std::string indexed(std::string_view list, std::size_t index) {
  return std::string{list} + '[' + std::to_string(index) + ']';
}

/// Walks a tree section by section into a draft.
class Builder {
 public:
  Builder(const Tree& root, const ParseOptions& options, Report& report) : root_{root}, options_{options}, report_{report} {
    draft_.name_id = options.name_id;
    draft_.known_models = options.known_models;
  }

  Draft run() {
    read_top();
    read_models();
    read_nodes();
    read_pools();
    read_classes();
    read_tenants();
    read_security();
    read("limits", table_at(root_, "limits", "limits"), "limits", draft_.cluster.limits);
    read("batching", table_at(root_, "batching", "batching"), "batching", draft_.cluster.batching);
    read("timings", table_at(root_, "timings", "timings"), "timings", draft_.cluster.timings);
    read("spill", table_at(root_, "spill", "spill"), "spill", draft_.cluster.spill);
    read("disaggregation", table_at(root_, "disaggregation", "disaggregation"), "disaggregation", draft_.cluster.disaggregation);
    read_placement();
    return std::move(draft_);
  }

 private:
  template <class T>
  void read(std::string_view pattern, const Tree* table, const std::string& path, T& target) {
    if (table != nullptr) read_keys(section(pattern), *table, path, &target, report_);
  }

  /// The child when it is a table; anything else is reported.
  const Tree* table_at(const Tree& parent, std::string_view name, const std::string& path) {
    const auto* child = parent.child(name);
    if (child == nullptr) return nullptr;
    return is_table(*child, path) ? child : nullptr;
  }

  bool is_table(const Tree& tree, const std::string& path) {
    report_.place(path, tree);
    if (tree.kind == Tree::Kind::table) return true;
    report_.add(ErrorKind::wrong_type, path, "want a table", "for example: [" + path + "]");
    return false;
  }

  /// The tables of `[[name]]`, at most `max`.
  std::vector<const Tree*> tables_of(const Tree& parent, std::string_view name, const std::string& path, std::size_t max) {
    const auto* list = parent.child(name);
    if (list == nullptr) return {};
    report_.place(path, *list);
    if (list->kind != Tree::Kind::list) {
      report_.add(ErrorKind::wrong_type, path, "want a list of tables", "write [[" + path + "]] with two brackets");
      return {};
    }
    if (list->children.size() > max) {
      report_.add(ErrorKind::out_of_range, path, "want at most " + std::to_string(max) + " entries", "split the cluster");
      return {};
    }
    std::vector<const Tree*> out;
    for (std::size_t i = 0; i < list->children.size(); ++i) {
      if (is_table(list->children[i], indexed(path, i))) out.push_back(&list->children[i]);
    }
    return out;
  }

  /// The tables of `[name.*]`, at most `max`.
  std::vector<const Tree*> named_tables(std::string_view name, std::size_t max) {
    const std::string path{name};
    const auto* table = table_at(root_, name, path);
    if (table == nullptr) return {};
    if (table->children.size() > max) {
      report_.add(ErrorKind::out_of_range, path, "want at most " + std::to_string(max) + " entries", "leave some out");
      return {};
    }
    std::vector<const Tree*> out;
    for (const auto& child : table->children) {
      if (is_table(child, path + '.' + child.key)) out.push_back(&child);
    }
    return out;
  }

  void read_top() {
    Top top;
    read_keys(section(""), root_, "", &top, report_);
    const std::string fix = "begin the file with `version = 1`";
    if (root_.child("version") == nullptr) {
      report_.add(ErrorKind::missing_version, "version", "is missing: want 1", fix);
    } else if (root_.children.front().key != "version") {
      report_.add(ErrorKind::version_not_first, "version", "want it before all other keys", fix);
    }
    ClusterNames names;
    read("cluster", table_at(root_, "cluster", "cluster"), "cluster", names);
    draft_.cluster.name = names.name;
  }

  void read_models() {
    for (const auto* tree : named_tables("models", models_max)) {
      ModelEntry entry;
      entry.name = tree->key;
      const auto path = "models." + tree->key;
      read("models.*", tree, path, entry);
      read("models.*.paced", table_at(*tree, "paced", path + ".paced"), path + ".paced", entry.paced);
      entry.path = resolved(entry.path);
      if (entry.kind == ModelKind::gguf && entry.path.empty() && entry.known.empty()) entry.known = entry.name;
      draft_.cluster.models.emplace(entry.name, entry);
    }
  }

  std::filesystem::path resolved(const std::filesystem::path& path) const {
    if (path.empty() || path.is_absolute() || options_.directory.empty()) return path;
    return (options_.directory / path).lexically_normal();
  }

  /// What nodes and members have in common once their keys are read.
  void add_node(Node node, std::string path) {
    node.ports = {node.port, static_cast<std::uint16_t>(node.port + 1), static_cast<std::uint16_t>(node.port + 2),
                  static_cast<std::uint16_t>(node.port + 3)};
    node.key_file = resolved(node.key_file.empty() ? std::filesystem::path{"keys"} / (node.name + ".key") : node.key_file);
    if (node.models.empty() && node.has(Role::worker)) {
      for (const auto& [name, model] : draft_.cluster.models) node.models.push_back(name);
    }
    draft_.cluster.nodes.push_back(std::move(node));
    draft_.node_paths.push_back(std::move(path));
  }

  void refuse_placeholder(const std::string& text, const std::string& key) {
    if (text.find("{n}") == std::string::npos) return;
    report_.add(ErrorKind::bad_address, key, "want an address: `{n}` has a meaning in pools alone", "write the number");
  }

  void read_nodes() {
    const auto tables = tables_of(root_, "nodes", "nodes", nodes_max);
    for (const auto* tree : tables) {
      const auto index = static_cast<std::size_t>(tree - root_.child("nodes")->children.data());
      const auto path = indexed("nodes", index);
      NodeEntry entry;
      read("nodes[]", tree, path, entry);
      refuse_placeholder(entry.address, path + ".address");
      refuse_placeholder(entry.bind, path + ".bind");
      add_node(std::move(entry), path);
    }
  }

  void read_pools() {
    for (const auto* tree : tables_of(root_, "pools", "pools", entries_max)) {
      const auto index = static_cast<std::size_t>(tree - root_.child("pools")->children.data());
      const auto path = indexed("pools", index);
      PoolEntry entry;
      read("pools[]", tree, path, entry);
      if (const auto range = parse_range(entry.name)) add_members(entry, *range, path);
    }
  }

  static std::uint32_t port_step(const PoolEntry& entry) {
    const bool numbered = entry.address.find("{n}") != std::string::npos;
    return entry.port_step.value_or(numbered ? 0 : 10);
  }

  static std::string with_number(std::string text, const std::string& number) {
    if (const auto at = text.find("{n}"); at != std::string::npos) text.replace(at, 3, number);
    return text;
  }

  /// Whether the template can be laid out over all its members; what cannot be is reported. False = no member makes sense.
  bool fits_members(const PoolEntry& entry, const NameRange& range, const std::string& path) {
    const std::size_t count = range.last - range.first + 1;
    const auto step = port_step(entry);
    if (entry.port + (count - 1) * step > 65'532) {
      report_.add(ErrorKind::port_overflow, path + ".port",
                  "want the last member's ports below 65536 (it stands " + std::to_string(count - 1) + " steps of " + std::to_string(step) +
                      " behind this one)",
                  "choose a lower port or a smaller port_step");
      return false;
    }
    for (const auto number : {range.first, range.last}) {
      const auto address = with_number(entry.address, range.number(number));
      if (is_address(address)) continue;
      report_.add(ErrorKind::bad_address, path + ".address", "want an address for each member: " + address + " is none",
                  "change the address or the digits of the range");
      return false;
    }
    if (!entry.public_keys.empty() && entry.public_keys.size() != count) {
      report_.add(ErrorKind::out_of_range, path + ".public_keys", "want one key for each of the " + std::to_string(count) + " members",
                  "make them with `spillway keys new` and list them in order");
    }
    if (entry.start_count.value_or(0) > count) {
      report_.add(ErrorKind::out_of_range, path + ".start", "want at most the " + std::to_string(count) + " members",
                  "lower it or lengthen the range");
    }
    return true;
  }

  void add_members(const PoolEntry& entry, const NameRange& range, const std::string& path) {
    const std::size_t count = range.last - range.first + 1;
    if (draft_.cluster.nodes.size() + count > nodes_max) {
      report_.add(ErrorKind::out_of_range, path + ".name", "want at most " + std::to_string(nodes_max) + " nodes and members in the file",
                  "shorten the range or split the cluster");
      return;
    }
    if (!fits_members(entry, range, path)) return;
    auto& pool = draft_.cluster.pools.emplace_back();
    pool.pattern = entry.name, pool.first = range.first, pool.last = range.last;
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = range.first + static_cast<std::uint32_t>(i);
      Node node = entry;
      node.name = range.name(number);
      node.pool = entry.name, node.elastic = true;
      node.start = !entry.start_count || i < *entry.start_count;
      node.port = static_cast<std::uint16_t>(entry.port + i * port_step(entry));
      node.address = with_number(node.address, range.number(number));
      node.bind = with_number(node.bind, range.number(number));
      if (i < entry.public_keys.size()) node.public_key = entry.public_keys[i];
      node.key_file = with_number(node.key_file.string(), range.number(number));
      pool.members.push_back({options_.name_id(node.name)});
      add_node(std::move(node), path);
    }
  }

  void read_placement() {
    const auto* table = table_at(root_, "placement", "placement");
    if (table == nullptr) return;
    auto& placement = draft_.cluster.placement;
    read("placement", table, "placement", placement);
    const auto inner = [&](std::string_view name, auto& target) {
      const auto path = "placement." + std::string{name};
      read(path, table_at(*table, name, path), path, target);
    };
    inner("cache_aware", placement.cache_aware);
    inner("dynamo", placement.dynamo);
    inner("preble", placement.preble);
  }

  void read_classes() {
    const std::vector<std::string_view> words{"live", "interactive", "batch"};
    for (const auto* tree : named_tables("classes", entries_max)) {
      const auto path = "classes." + tree->key;
      auto& cluster = draft_.cluster;
      auto* rules = tree->key == words[0]   ? &cluster.live
                    : tree->key == words[1] ? &cluster.interactive
                    : tree->key == words[2] ? &cluster.batch
                                            : nullptr;
      if (rules != nullptr) {
        read("classes.*", tree, path, *rules);
        continue;
      }
      const auto near = nearest(tree->key, words);
      report_.add(ErrorKind::unknown_key, path, "is no class: want live, interactive or batch",
                  near.empty() ? "use one of the three" : "did you mean `" + std::string{near} + "`?");
    }
  }

  void read_tenants() {
    for (const auto* tree : named_tables("tenants", entries_max)) {
      TenantEntry entry;
      entry.name = tree->key;
      read("tenants.*", tree, "tenants." + tree->key, entry);
      for (const auto& text : entry.ladder) entry.rungs.push_back(*parse_rung(text));
      if (entry.burst_tokens == 0) {
        entry.burst_tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(10ULL * entry.tokens_per_second, 1'000'000'000));
      }
      draft_.cluster.tenants.emplace(entry.name, entry);
    }
    if (!draft_.cluster.tenants.empty()) return;
    Tenant tenant;
    tenant.name = "default";
    draft_.cluster.tenants.emplace(tenant.name, tenant);
  }

  void read_security() {
    const auto* table = table_at(root_, "security", "security");
    if (table == nullptr) return;
    SecurityEntry entry;
    read("security", table, "security", entry);
    entry.secret_file = resolved(entry.secret_file);
    // Entries that are no tables stay as empty ones, so that index and line agree; they have been reported.
    const auto fill = [&](std::string_view name, auto& out) {
      const auto path = "security." + std::string{name};
      const auto tables = tables_of(*table, name, path, entries_max);
      for (const auto* tree : tables) {
        const auto index = static_cast<std::size_t>(tree - table->child(name)->children.data());
        out.resize(index + 1);
        read(path + "[]", tree, indexed(path, index), out[index]);
      }
    };
    fill("clients", entry.clients);
    fill("tokens", entry.tokens);
    for (auto& token : entry.tokens) token.token_file = resolved(token.token_file);
    draft_.curve_wish = entry.curve_wish;
    draft_.cluster.security = entry;
  }

  const Tree& root_;
  const ParseOptions& options_;
  Report& report_;
  Draft draft_;
};

Loaded refused(ErrorKind kind, std::string file, std::string want, std::string fix) {
  return tl::make_unexpected(ConfigErrors{{kind, std::move(file), 0, {}, {}, std::move(want), std::move(fix)}});
}

Loaded too_large(std::string file) {
  return refused(ErrorKind::too_large, std::move(file), "want a cluster file of at most " + std::to_string(file_bytes_max) + " bytes",
                 "is this the right file?");
}

}  // namespace

Loaded parse_cluster(std::string_view text, std::string_view file, const ParseOptions& options) {
  if (text.size() > file_bytes_max) return too_large(std::string{file});
  auto tree = parse_tree(text, file);
  if (!tree) return tl::make_unexpected(ConfigErrors{std::move(tree.error())});
  Report report{file};
  const auto* version = tree->child("version");
  if (version != nullptr && version->kind == Tree::Kind::integer && version->integer != static_cast<std::int64_t>(file_version)) {
    // Another version may mean anything by its keys: nothing else is worth saying.
    report.place("version", *version);
    report.add(ErrorKind::unknown_version, "version", "want 1, the only version that this build reads",
               "take a newer Spillway, or write `version = 1`");
    return tl::make_unexpected(report.take());
  }
  auto draft = Builder{*tree, options, report}.run();
  check_cluster(draft, report);
  if (report.failed()) return tl::make_unexpected(report.take());
  return std::move(draft.cluster);
}

Loaded load_cluster(const std::filesystem::path& file, const std::vector<std::string>& known_models) {
  std::error_code code;
  const auto kind = std::filesystem::status(file, code).type();
  std::ifstream in{file, std::ios::binary};
  if (!in || kind == std::filesystem::file_type::directory) {
    return refused(ErrorKind::unreadable, file.string(), "want a cluster file: this one is missing or cannot be read",
                   "check the path and its permissions, or start from cluster-config/examples/embedded.toml");
  }
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) return too_large(file.string());
  auto loaded = parse_cluster(text, file.string(), {.directory = file.parent_path(), .known_models = known_models});
  if (loaded) loaded->file = file;
  return loaded;
}

core::Result<std::filesystem::path> find_config(const std::optional<std::filesystem::path>& given) {
  if (given) return *given;
  if (const char* variable = std::getenv("SPILLWAY_CONFIG"); variable != nullptr && *variable != '\0')
    return std::filesystem::path{variable};
  std::filesystem::path here{"spillway.toml"};
  std::error_code code;
  if (std::filesystem::exists(here, code)) return here;
  return core::fail(core::Errc::bad_config,
                    "no cluster file: name one with --config FILE, set SPILLWAY_CONFIG, or put spillway.toml into this folder");
}

}  // namespace spillway::config
