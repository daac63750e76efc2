#include "tests/cluster-config/rich_cluster.h"

#include <map>
#include <set>

#include "tests/cluster-config/error_cases.h"

namespace spillway::config {
namespace {

/// Keys whose example does not fit beside the other examples.
const std::map<std::string, std::string>& replaced() {
  static const std::map<std::string, std::string> lines{
      {"models.*.kind", "kind = \"gguf\""},
      {"pools[].name", "name = \"edge-[1-2]\""},
      {"pools[].start", "start = 1"},
      {"nodes[].public_key", "public_key = \"" + some_key(1) + "\""},
      {"pools[].public_keys", "public_keys = [\"" + some_key(2) + "\", \"" + some_key(3) + "\"]"},
      {"security.clients[].public_key", "public_key = \"" + some_key(4) + "\""},
      {"security.tokens[].name", "name = \"other-caller\""},
  };
  return lines;
}

}  // namespace

bool left_out(const std::string& key) {
  static const std::set<std::string> keys{"models.*.path", "security.secret", "security.tokens[].token", "nodes[].kv_blocks",
                                          "pools[].kv_blocks"};
  return keys.count(key) > 0;
}

std::string table_header(const Section& section) {
  const std::string pattern{section.pattern};
  if (pattern.empty()) return {};
  if (pattern == "models.*") return "[models.\"smollm2-135m\"]\n";
  if (pattern == "models.*.paced") return "[models.stand-in]\nkind = \"paced\"\n[models.stand-in.paced]\n";
  if (pattern == "classes.*") return "[classes.live]\n";
  if (pattern == "tenants.*") return "[tenants.newsroom]\n";
  if (pattern.ends_with("[]")) return "[[" + pattern.substr(0, pattern.size() - 2) + "]]\n";
  return "[" + pattern + "]\n";
}

std::string rich_cluster() {
  std::string text;
  for (const auto& each : sections()) {
    text += table_header(each);
    for (const auto& key : each.keys) {
      const auto path = each.pattern.empty() ? std::string{key.name} : std::string{each.pattern} + '.' + std::string{key.name};
      if (left_out(path)) continue;
      const auto other = replaced().find(path);
      text += (other == replaced().end() ? std::string{key.example} : other->second) + '\n';
    }
  }
  return text;
}

}  // namespace spillway::config
