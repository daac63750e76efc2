#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/run_record.h"
#include "sim/workload.h"

namespace spillway::app {

/// What the simulator says of a load before it is sent.
struct PredictInputs {
  std::string cluster_file;
  std::string profile;               ///< folder of measured tables that stand for every model; empty = the paced costs of the file
  std::vector<std::string> tenants;  ///< as the cluster calls those of the workload, by number; "" = its first
  std::vector<std::string> models;
  std::uint64_t seed = 1;
  std::string scenario;  ///< its network and types of nodes; of its workload and faults nothing
};

/// The run of the same requests, at the same times, by the cluster of the file in virtual time; its name is "predicted". Errors:
/// those of the files and the profile; a model that is not paced without a profile.
core::Result<sim::Run> predict_load(const sim::Workload& workload, const PredictInputs& inputs);

}  // namespace spillway::app
