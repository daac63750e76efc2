#include "app/cluster_file.h"

#include <algorithm>
#include <string>
#include <vector>

#include "model/store.h"

namespace spillway::app {

config::Loaded load_cluster_and_models(const std::filesystem::path& file) {
  std::vector<std::string> names;
  for (const auto& known : model::known_models()) names.push_back(known.name);
  if (const auto folder = model::store_folder()) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(*folder, error)) {
      const auto name = entry.path().filename().string();
      if (std::find(names.begin(), names.end(), name) == names.end() && model::resolve_model(name)) names.push_back(name);
    }
  }
  std::sort(names.begin() + static_cast<std::ptrdiff_t>(model::known_models().size()), names.end());
  return config::load_cluster(file, names);
}

}  // namespace spillway::app
