#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cluster-config/cluster.h"
#include "core/ids.h"
#include "core/result.h"
#include "sim/workload.h"

namespace spillway::app {

/// Tokens that a prompt may be made of, whichever model of the cluster answers: within each vocabulary, and plain words or bytes
/// there. Reads the vocabularies of the model files; with `vocabulary` > 0 it is believed instead. Errors: a model file that
/// is not on this machine (and what to give instead), models without a plain token in common.
core::Result<std::vector<core::TokenId>> prompt_tokens_of(const config::Cluster& cluster, std::uint32_t vocabulary);

/// Prompts for a workload that has lengths and block numbers alone. The tokens of a block are a function of (seed, block number,
/// place in it), so equal prefixes stay equal; behind its blocks every request has tokens of its own.
class LoadPrompts {
 public:
  /// `tokens` must not be empty; the workload must live longer.
  LoadPrompts(const sim::Workload& workload, std::vector<core::TokenId> tokens, std::uint64_t seed)
      : workload_(workload), tokens_(std::move(tokens)), seed_(seed) {}
  /// As many tokens as the request has input.
  std::vector<std::int32_t> make(std::uint32_t request) const;

 private:
  const sim::Workload& workload_;
  std::vector<core::TokenId> tokens_;
  std::uint64_t seed_;
};

}  // namespace spillway::app
