#pragma once

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"

namespace spillway::model::test {

/// Path of `name` in the shared test material ($SPILLWAY_SHARED, else ../shared beside the tree); nothing where it is absent.
/// Tests prove their point without it and print how many shared cases they ran.
inline std::optional<std::string> shared_path(const std::string& name) {
  const char* set = std::getenv("SPILLWAY_SHARED");
  const std::filesystem::path root =
      set != nullptr && *set != 0 ? std::filesystem::path(set) : std::filesystem::path(SPILLWAY_SOURCE_DIR) / ".." / "shared";
  const std::filesystem::path path = root / name;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return path.string();
}

/// A file of the user's store, such as "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf", where it has been pulled.
inline std::optional<std::string> stored_path(const std::string& file) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if ((cache == nullptr || *cache == 0) && home == nullptr) return std::nullopt;
  const std::filesystem::path root =
      cache != nullptr && *cache != 0 ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache";
  const std::filesystem::path path = root / "spillway/models" / file;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return path.string();
}

/// The default model where it has been pulled, or $SPILLWAY_TEST_MODEL.
inline std::optional<std::string> default_model_path() {
  if (const char* set = std::getenv("SPILLWAY_TEST_MODEL"); set != nullptr && *set != 0) return std::string(set);
  return stored_path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline boost::json::value read_json(const std::string& path) {
  return boost::json::parse(read_text(path));
}

inline std::vector<core::TokenId> ids_of(const boost::json::value& list) {
  std::vector<core::TokenId> ids;
  for (const auto& id : list.as_array()) ids.push_back(static_cast<core::TokenId>(id.as_int64()));
  return ids;
}

inline std::string text_of(const boost::json::value& text) {
  return std::string(text.as_string());
}

inline std::string to_text(const std::vector<core::TokenId>& ids) {
  std::string text;
  for (const core::TokenId id : ids) text += std::to_string(id) + " ";
  return text;
}

}  // namespace spillway::model::test
