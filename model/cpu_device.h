#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/page.h"
#include "kernels/isa.h"
#include "kernels/thread_pool.h"
#include "model/device.h"
#include "model/graph.h"
#include "model/kv_pool.h"
#include "model/runner.h"
#include "model/sequences.h"
#include "model/weights.h"

namespace spillway::model {

struct CpuOptions {
  std::string path{};  ///< GGUF file
  std::string name{};  ///< of the model, told in ReplicaInfo; empty: the path
  core::PageFormat page_format = core::PageFormat::raw16;
  std::uint32_t context_max = 0;        ///< tokens; 0 = what the file says
  std::uint32_t blocks = 0;             ///< of the device pool; 0 = as many as fit in kv_bytes
  std::uint64_t kv_bytes = 1ULL << 30;  ///< used when blocks is 0
  unsigned threads = 1;
  std::optional<kernels::Isa> isa{};   ///< nothing = that of the process; it is one choice for the process (kernels/isa.h)
  std::uint32_t step_rows_max = 2048;  ///< rows of one step; sets the size of the workspaces
  /// Of the workspaces, or the file's size where that is more: what a hostile file may make of its few bytes.
  std::uint64_t workspace_bytes_max = 4ULL << 30;
};

/// The model step on the processor's cores: weights, workspaces, pool of pages, sampler.
class CpuDevice : public Device {
 public:
  /// Loads and checks everything. Errors: bad_file, unsupported (tensor or key named), bad_argument (option named), io.
  static core::Result<std::unique_ptr<CpuDevice>> make(const CpuOptions& options);

  const core::ReplicaInfo& info() const override { return info_; }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override;
  void read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) override;
  void write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) override;

  /// Null when the file has no vocabulary.
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }
  const Weights& weights() const { return weights_; }
  /// For scoring, between steps; it writes pages of the pool.
  Runner& runner() { return *runner_; }

 private:
  CpuDevice(const CpuOptions& options, std::unique_ptr<kernels::ThreadPool> threads, Weights weights, KvPool pool,
            std::shared_ptr<const Tokenizer> tokenizer);

  std::optional<kernels::Isa> isa_;
  std::unique_ptr<kernels::ThreadPool> threads_;
  Weights weights_;
  KvPool pool_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Sequences sequences_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Runner> runner_;
  core::ReplicaInfo info_;
  std::vector<WantedRow> wanted_;
};

}  // namespace spillway::model
