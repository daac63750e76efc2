#include "actors/devices.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "cluster-config/core_limits.h"
#include "model/cpu_device.h"
#include "model/gguf.h"
#include "model/paced_device.h"
#include "model/paced_tokenizer.h"
#include "model/store.h"

namespace spillway::actors {

namespace {

constexpr std::uint32_t paced_context_tokens = 8192;

std::string path_or_name(const config::Model& model) {
  return model.path.empty() ? model.known : model.path.string();
}

std::optional<kernels::Isa> to_isa(config::Isa isa) {
  switch (isa) {
    case config::Isa::automatic: return std::nullopt;
    case config::Isa::scalar: return kernels::Isa::scalar;
    case config::Isa::avx2: return kernels::Isa::avx2;
    case config::Isa::avx512: return kernels::Isa::avx512;
  }
  return std::nullopt;
}

/// Cores this process may run on, hyper-threads of one core counted once.
std::uint32_t physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;
  std::uint32_t unnamed = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream siblings("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string list;
    if (std::getline(siblings, list)) {
      cores.insert(list);
    } else {
      ++unnamed;
    }
  }
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(cores.size()) + unnamed);
}

core::Result<std::unique_ptr<model::Device>> load_paced(const config::Cluster& cluster, const config::Node& node,
                                                        const config::Model& model) {
  model::PacedOptions options;
  options.name = model.name;
  options.context_max = model.context_tokens == 0 ? paced_context_tokens : model.context_tokens;
  options.page_bytes = model.paced.page_bytes;
  const std::uint64_t blocks = node.kv_blocks != 0 ? node.kv_blocks : node.kv_memory_bytes / model.paced.page_bytes;
  if (blocks >= core::no_block) {
    return core::fail(core::Errc::bad_config, "kv_memory of node " + node.name + " = " + std::to_string(node.kv_memory_bytes) + " bytes: " +
                                                  std::to_string(blocks) + " pages of " + std::to_string(model.paced.page_bytes) +
                                                  " bytes (page_bytes), and a pool holds at most " + std::to_string(core::no_block - 1) +
                                                  ": give less memory or larger pages");
  }
  options.blocks = static_cast<std::uint32_t>(blocks);
  options.vocabulary = model.paced.vocabulary;
  options.step_rows_max = cluster.limits.step_tokens_max;
  options.page_format = model.page_format;
  options.step = std::chrono::microseconds(model.paced.step_us);
  options.prefill_token = std::chrono::microseconds(model.paced.prefill_token_us);
  options.decode_token = std::chrono::microseconds(model.paced.decode_token_us);
  options.context_per_1k = std::chrono::microseconds(model.paced.context_us_per_1k);
  auto made = model::PacedDevice::make(options);
  if (!made) return tl::make_unexpected(made.error());
  return std::unique_ptr<model::Device>(std::move(*made));
}

core::Result<std::unique_ptr<model::Device>> load_cpu(const config::Cluster& cluster, const config::Node& node,
                                                      const config::Model& model) {
  auto path = model::resolve_model(path_or_name(model));
  if (!path) return tl::make_unexpected(path.error());
  model::CpuOptions options;
  options.path = *path;
  options.name = model.name;
  options.page_format = model.page_format;
  options.context_max = model.context_tokens;
  options.blocks = node.kv_blocks;
  options.kv_bytes = node.kv_memory_bytes;
  options.threads = node.threads == 0 ? physical_cores() : node.threads;
  options.isa = to_isa(node.isa);
  options.step_rows_max = cluster.limits.step_tokens_max;
  auto made = model::CpuDevice::make(options);
  if (!made) return tl::make_unexpected(made.error());
  return std::unique_ptr<model::Device>(std::move(*made));
}

core::Result<RoutedModel> routed_model(const config::Model& model) {
  RoutedModel routed;
  routed.name = model.name;
  routed.id = model.id;
  if (model.kind == config::ModelKind::paced) {
    auto tokenizer = model::paced_tokenizer(model.paced.vocabulary);
    if (!tokenizer) return tl::make_unexpected(tokenizer.error());
    routed.tokenizer = std::move(*tokenizer);
    return routed;
  }
  auto path = model::resolve_model(path_or_name(model));
  if (!path) return tl::make_unexpected(path.error());
  auto file = model::GgufFile::open(*path);
  if (!file) return tl::make_unexpected(file.error());
  auto tokenizer = model::Tokenizer::from_gguf(*file);
  if (!tokenizer) return tl::make_unexpected(tokenizer.error());
  routed.tokenizer = std::move(*tokenizer);
  routed.chat = model::ChatTemplate::from_gguf(*file);
  return routed;
}

}  // namespace

DeviceFactory device_factory(const config::Cluster& cluster, const config::Node& node) {
  return [cluster, node, models = config::replica_models(node)](std::uint32_t replica) -> core::Result<std::unique_ptr<model::Device>> {
    const auto& model = cluster.models.at(models.at(replica));
    return model.kind == config::ModelKind::paced ? load_paced(cluster, node, model) : load_cpu(cluster, node, model);
  };
}

core::Result<std::vector<RoutedModel>> routed_models(const config::Cluster& cluster) {
  std::vector<RoutedModel> models;
  for (const auto& [name, model] : cluster.models) {
    auto routed = routed_model(model);
    if (!routed) return tl::make_unexpected(routed.error());
    models.push_back(std::move(*routed));
  }
  return models;
}

}  // namespace spillway::actors
