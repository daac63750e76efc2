#include "model/cpu_device.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "core/assert.h"
#include "core/log.h"

namespace spillway::model {

using core::Errc;
using core::fail;

namespace {

core::Result<KvPool> make_pool(const CpuOptions& options, const kernels::PageShape& shape) {
  std::uint64_t blocks = options.blocks;
  if (blocks == 0) blocks = std::min<std::uint64_t>(options.kv_bytes / shape.page_bytes(), core::no_block - 1);
  if (blocks == 0)
    return fail(Errc::bad_argument, "memory for KV = " + std::to_string(options.kv_bytes) + " bytes: one block of this model takes " +
                                        std::to_string(shape.page_bytes()));
  return KvPool::make(std::size_t{shape.layers} * 2 * shape.kv_heads, shape.head_row_bytes(), static_cast<std::uint32_t>(blocks));
}

core::Result<void> check_workspace(const CpuOptions& options, const GraphShape& shape, std::size_t file_bytes) {
  const auto bytes = Graph::workspace_bytes(shape, options.step_rows_max, options.threads);
  const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto most = std::min(std::max<std::uint64_t>(options.workspace_bytes_max, file_bytes), machine);
  if (bytes <= most) return {};
  return fail(Errc::bad_argument, options.path + ": the workspaces of a step take " + std::to_string(bytes) + " bytes (embedding_length " +
                                      std::to_string(shape.width) + ", feed_forward_length " + std::to_string(shape.hidden) +
                                      ", vocabulary " + std::to_string(shape.vocabulary) + ", step_rows_max " +
                                      std::to_string(options.step_rows_max) + "); want at most " + std::to_string(most) +
                                      ": lower step_rows_max, or is the file what it should be?");
}

core::Result<std::shared_ptr<const Tokenizer>> read_tokenizer(const GgufFile& file, std::uint32_t vocabulary) {
  if (!file.has("tokenizer.ggml.model")) return nullptr;
  auto tokenizer = Tokenizer::from_gguf(file);
  if (tokenizer && (*tokenizer)->size() != vocabulary)
    return fail(Errc::bad_file, "tensor \"token_embd.weight\" has " + std::to_string(vocabulary) + " rows, the vocabulary " +
                                    std::to_string((*tokenizer)->size()) + " tokens");
  return tokenizer;
}

core::Result<void> check_options(const CpuOptions& options) {
  if (options.threads == 0 || options.threads > 1024)
    return fail(Errc::bad_argument, "threads = " + std::to_string(options.threads) + "; want 1 to 1024");
  if (options.step_rows_max == 0 || options.step_rows_max > 65536)
    return fail(Errc::bad_argument, "step_rows_max = " + std::to_string(options.step_rows_max) + "; want 1 to 65536");
  if (options.isa && !kernels::set_isa(*options.isa))
    return fail(Errc::unsupported, "instruction set \"" + std::string{kernels::to_string(*options.isa)} + "\": not on this machine");
  return {};
}

/// Threads beyond those of the machine only take turns, and a step waits for the last of them. Two are always given, so that the
/// ways of a crew are the same on every machine.
unsigned useful_threads(unsigned wanted) {
  const unsigned machine = std::thread::hardware_concurrency();
  const unsigned most = std::max(2U, machine);
  if (machine == 0 || wanted <= most) return wanted;
  static std::once_flag told;
  std::call_once(told, [&] {
    core::log_warn("threads = " + std::to_string(wanted) + ": this machine runs " + std::to_string(machine) + ", so " +
                   std::to_string(most) + " are used");
  });
  return most;
}

}  // namespace

core::Result<std::unique_ptr<CpuDevice>> CpuDevice::make(const CpuOptions& options) {
  if (auto checked = check_options(options); !checked) return tl::make_unexpected(checked.error());
  const auto file = GgufFile::open(options.path);
  if (!file) return tl::make_unexpected(file.error());
  auto threads = std::make_unique<kernels::ThreadPool>(useful_threads(options.threads));
  auto weights = load_weights(*file, *threads);
  if (!weights) return tl::make_unexpected(core::Error{weights.error().code, options.path + ": " + weights.error().message, {}});
  const auto& shape = weights->shape;
  if (auto checked = check_workspace(options, shape, file->bytes().size()); !checked) return tl::make_unexpected(checked.error());
  if (options.context_max > shape.context)
    return fail(Errc::bad_argument, "context = " + std::to_string(options.context_max) + "; the model was made for " +
                                        std::to_string(shape.context) + " tokens");
  auto tokenizer = read_tokenizer(*file, shape.vocabulary);
  if (!tokenizer) return tl::make_unexpected(tokenizer.error());
  auto pool = make_pool(options, Graph::page_shape(shape, options.page_format));
  if (!pool) return tl::make_unexpected(pool.error());
  return std::unique_ptr<CpuDevice>(
      new CpuDevice(options, std::move(threads), std::move(*weights), std::move(*pool), std::move(*tokenizer)));
}

CpuDevice::CpuDevice(const CpuOptions& options, std::unique_ptr<kernels::ThreadPool> threads, Weights weights, KvPool pool,
                     std::shared_ptr<const Tokenizer> tokenizer)
    : isa_{options.isa},
      threads_{std::move(threads)},
      weights_{std::move(weights)},
      pool_{std::move(pool)},
      tokenizer_{std::move(tokenizer)},
      sequences_{tokenizer_},
      graph_{make_graph(weights_, options.page_format, options.step_rows_max, *threads_)},
      runner_{std::make_unique<Runner>(*graph_, pool_, options.step_rows_max)} {
  info_.model_name = options.name.empty() ? options.path : options.name;
  info_.model = core::model_id(info_.model_name);
  info_.kv_id = kv_id(weights_, options.page_format, info_.numerics_id);
  info_.weights_digest = weights_.digest;
  info_.context_max = options.context_max == 0 ? weights_.shape.context : options.context_max;
  info_.vocabulary = weights_.shape.vocabulary;
  info_.page_bytes = pool_.page_bytes();
  info_.row_bytes = pool_.row_bytes();
  info_.page_format = static_cast<std::uint32_t>(options.page_format);
  info_.blocks = pool_.blocks();
  info_.isa = kernels::to_string(kernels::current_isa());
  wanted_.reserve(options.step_rows_max);
}

core::Result<core::StepResult> CpuDevice::execute(const core::StepPlan& plan) {
  const auto begin = std::chrono::steady_clock::now();
  if (auto checked = sequences_.check(plan, info_, runner_->rows_max()); !checked) return tl::make_unexpected(checked.error());
  if (isa_) kernels::set_isa(*isa_);
  for (const auto& open : plan.opens) sequences_.open(open);
  for (const auto& copy : plan.copies) pool_.copy_rows(copy.from, copy.to, copy.rows);

  core::StepResult result;
  result.step = plan.step;
  wanted_.clear();
  for (std::uint32_t i = 0; i < plan.items.size(); ++i) {
    const auto& item = plan.items[i];
    if (!item.samples.empty()) wanted_.push_back({i, static_cast<std::uint32_t>(item.tokens.size() - 1)});
    result.rows += static_cast<std::uint32_t>(item.tokens.size());
  }
  runner_->run(plan.items, wanted_, [&](std::size_t index, const float* logits) {
    for (const auto& target : plan.items[wanted_[index].item].samples) {
      Sequence* sequence = sequences_.find(target.sequence);
      SPILLWAY_ASSERT(sequence != nullptr);  // checked above
      result.sampled.push_back({target.sequence, target.index, sequences_.draw(*sequence, target.index, {logits, info_.vocabulary})});
    }
  });
  for (const auto closed : plan.closes) sequences_.close(closed);
  result.elapsed = std::chrono::steady_clock::now() - begin;
  return result;
}

void CpuDevice::read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) {
  pool_.read_rows(block, first_row, rows, out);
}

void CpuDevice::write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) {
  pool_.write_rows(block, first_row, rows, in);
}

}  // namespace spillway::model
