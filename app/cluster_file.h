#pragma once

#include <filesystem>

#include "cluster-config/load.h"

namespace spillway::app {

/// load_cluster for those who will load the models too: a model without `path` must be one that can be pulled, or that lies in this
/// user's cache already. Commands that only talk to a cluster need not know its models.
config::Loaded load_cluster_and_models(const std::filesystem::path& file);

}  // namespace spillway::app
