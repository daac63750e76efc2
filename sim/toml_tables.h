#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "cluster-config/report.h"
#include "cluster-config/schema_bind.h"
#include "cluster-config/tree.h"

/// What the simulator's own TOML files share: tables of keys with errors like those of the cluster file.
namespace spillway::sim {

inline constexpr std::size_t toml_bytes_max = 1U << 20;

/// The text of a file of at most toml_bytes_max. `what` is named in errors: "the file of an event".
tl::expected<std::string, config::ConfigError> read_toml(const std::filesystem::path& file, std::string_view what);

/// Reads the tables of one file; base of its reader.
class TomlTables {
 protected:
  /// `what` in errors: "an event". `tables`: the names that may stand at the top beside keys.
  TomlTables(const config::Tree& root, config::Report& report, std::string_view what, std::span<const std::string_view> tables)
      : root_{root}, report_{report}, what_{what}, tables_{tables} {}

  /// Reads the keys of a table into `target`. What is no key is reported, with the names that the file has.
  void read(const config::Tree& table, std::string_view pattern, std::span<const config::KeySpec> keys, const std::string& path,
            void* target);
  /// The keys at the top, `version` before all others.
  template <class Top>
  void read_top(std::string_view pattern, std::span<const config::KeySpec> keys, Top& top) {
    read(root_, pattern, keys, "", &top);
    if (top.version != 0) check_version_first();
  }
  /// The table of this name, if it is there.
  template <class T>
  void read_table(const std::string& name, std::span<const config::KeySpec> keys, T& target) {
    const auto* table = root_.child(name);
    if (table != nullptr && is_table(*table, name)) read(*table, name, keys, name, &target);
  }
  bool is_table(const config::Tree& tree, const std::string& path);
  /// Calls `each` for the tables of a list at the top.
  void for_each_entry(const std::string& name, std::size_t most, const std::function<void(const config::Tree&, const std::string&)>& each);

  const config::Tree& root_;
  config::Report& report_;

 private:
  void check_version_first();

  std::string_view what_;
  std::span<const std::string_view> tables_;
};

}  // namespace spillway::sim
