#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "sim/cost_model.h"
#include "sim/served_workload.h"
#include "tests/sim/test_folder.h"

namespace spillway::sim::test {

/// A whole profile whose times are linear, so that interpolation is exact and steps can be checked by hand. In microseconds, with
/// two layers and S sequences, T rows:
///   step = 18 (10 + T) + 2 attention + 105 + 10 S
///   attention = 2 + chunk + history / 2 + 3 decodes + context / 4      (chunks from 16, contexts from 16)
/// The workload has three requests of 32 prompt tokens; the real run took 1 s for each.
class TinyProfile : public TestFolder {
 public:
  TinyProfile();
  std::string workload() const { return file("workload.jsonl"); }
};

/// The cost model of TinyProfile.
CostModel tiny_costs();

/// Requests of (input tokens, output tokens, hash ids).
ServedWorkload workload_of(std::vector<ServedItem> items);

/// Whether an error says this, at this place: "file:line: ... text ...".
bool says(const core::Error& error, const std::string& place, const std::string& text);

/// Path of `name` in the shared test material ($SPILLWAY_SHARED, else ../shared beside the tree); empty where it is absent.
std::string shared_path(const std::string& name);

}  // namespace spillway::sim::test
