#include "sim/toml_tables.h"

#include <algorithm>
#include <fstream>

#include "cluster-config/suggest.h"
#include "cluster-config/values.h"

namespace spillway::sim {

using config::ErrorKind;
using config::Tree;

namespace {

std::string joined(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "" : ", ") + std::string{word};
  return out;
}

}  // namespace

void TomlTables::read(const Tree& table, std::string_view pattern, std::span<const config::KeySpec> keys, const std::string& path,
                      void* target) {
  std::vector<std::string_view> known;
  for (const auto& key : keys) known.push_back(key.name);
  const auto count = known.size();
  if (path.empty()) known.insert(known.end(), tables_.begin(), tables_.end());
  Tree own = table;
  std::erase_if(own.children, [&](const Tree& child) {
    const auto found = static_cast<std::size_t>(std::find(known.begin(), known.end(), child.key) - known.begin());
    if (found < known.size()) return found >= count;
    const auto name = (path.empty() ? "" : path + ".") + config::clean(child.key, 60);
    const auto near = config::nearest(child.key, known);
    report_.place(name, child);
    report_.add(ErrorKind::unknown_key, name, "is no key of " + std::string(what_),
                near.empty() ? "want one of " + joined(known) : "did you mean `" + std::string{near} + "`?");
    return true;
  });
  config::read_keys({.pattern = pattern, .sentence = {}, .keys = keys}, own, path, target, report_);
}

void TomlTables::check_version_first() {
  if (root_.children.front().key == "version") return;
  report_.add(ErrorKind::version_not_first, "version", "want it before all other keys", "begin the file with `version = 1`");
}

bool TomlTables::is_table(const Tree& tree, const std::string& path) {
  report_.place(path, tree);
  if (tree.kind == Tree::Kind::table) return true;
  report_.add(ErrorKind::wrong_type, path, "want a table", "for example: [" + path + "]");
  return false;
}

void TomlTables::for_each_entry(const std::string& name, std::size_t most,
                                const std::function<void(const Tree&, const std::string&)>& each) {
  const auto* list = root_.child(name);
  if (list == nullptr) return;
  report_.place(name, *list);
  if (list->kind != Tree::Kind::list) {
    report_.add(ErrorKind::wrong_type, name, "want a list of tables", "write [[" + name + "]] with two brackets");
    return;
  }
  if (list->children.size() > most) {
    report_.add(ErrorKind::out_of_range, name, "want at most " + std::to_string(most) + " entries", "leave some out");
    return;
  }
  for (std::size_t i = 0; i < list->children.size(); ++i) {
    const std::string path = name + "[" + std::to_string(i) + "]";
    if (is_table(list->children[i], path)) each(list->children[i], path);
  }
}

tl::expected<std::string, config::ConfigError> read_toml(const std::filesystem::path& file, std::string_view what) {
  const auto refused = [&](ErrorKind kind, std::string want, std::string fix) {
    return tl::make_unexpected(config::ConfigError{kind, file.string(), 0, {}, {}, std::move(want), std::move(fix)});
  };
  std::ifstream in(file, std::ios::binary);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    return refused(ErrorKind::unreadable, "cannot be opened: want " + std::string(what), "give the path of a TOML file");
  std::string text(toml_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > toml_bytes_max)
    return refused(ErrorKind::too_large, "want at most " + std::to_string(toml_bytes_max) + " bytes", "leave entries out");
  return text;
}

}  // namespace spillway::sim
