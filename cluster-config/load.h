#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "cluster-config/cluster.h"
#include "cluster-config/errors.h"
#include "core/ids.h"
#include "core/result.h"

namespace spillway::config {

inline constexpr std::size_t file_bytes_max = 1U << 20;
inline constexpr std::size_t nodes_max = 1024;  ///< nodes and pool members of one file
inline constexpr std::size_t errors_max = 100;  ///< reported of one file

/// A checked cluster, or everything that is wrong with its file (never empty, in order of the lines).
using Loaded = tl::expected<Cluster, ConfigErrors>;

struct ParseOptions {
  std::filesystem::path directory;                             ///< relative paths in the text are taken from here
  std::uint64_t (*name_id)(std::string_view) = core::name_id;  ///< tests of digest collisions put their own here
  std::vector<std::string> known_models = {};                  ///< names that `known` may have; empty: they are not checked
};

/// Reads and checks a cluster file. Touches no other file: models, keys and secrets are opened by those who use them.
/// `known_models` as in ParseOptions.
Loaded load_cluster(const std::filesystem::path& file, const std::vector<std::string>& known_models = {});

/// The same for a text; `file` is only named in errors.
Loaded parse_cluster(std::string_view text, std::string_view file, const ParseOptions& options = {});

/// The file a command is to use: `given`, else $SPILLWAY_CONFIG, else ./spillway.toml. Error: bad_config that names all three
/// when none is there.
core::Result<std::filesystem::path> find_config(const std::optional<std::filesystem::path>& given);

}  // namespace spillway::config
