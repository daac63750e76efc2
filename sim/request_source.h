#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/request.h"
#include "sim/workload.h"

namespace spillway::sim {

/// One request as a client sends it.
struct ClientRequest {
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;  ///< 0 = scoring
  std::uint32_t tenant = 0;         ///< in tenants()
  std::uint32_t model = 0;          ///< in models()
  std::uint32_t session = 0;
  core::ServiceClass service_class = core::ServiceClass::interactive;
  std::int64_t deadline_ns = 0;  ///< after arrival; 0 = none
  std::int64_t cancel_ns = 0;    ///< after arrival the client gives up; 0 = never
  std::string channel;           ///< of captions; empty = none
  std::string adapter;           ///< empty = none
};

/// Where the requests of a simulated run come from, by number in order of arrival.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  virtual std::uint64_t count() const = 0;
  /// From the start of the run. Asked once for each request, in order.
  virtual std::int64_t arrival_ns(std::uint64_t index) = 0;
  /// Always the same for one index.
  virtual ClientRequest request(std::uint64_t index) const = 0;
  /// Names of all full blocks of 16 tokens of prompt and answer: equal ones at the same place are the same KV.
  virtual void block_names(std::uint64_t index, std::vector<core::BlockName>& names) const = 0;
  virtual const NameTable& tenants() const = 0;
  virtual const NameTable& models() const = 0;
};

/// A name that follows from the one before it and an id: equal beginnings have equal names.
core::BlockName chained_name(const core::BlockName& before, std::uint64_t id);
/// A name that no other request has.
core::BlockName own_name(std::uint64_t request, std::uint64_t block);

/// The requests of a workload, which outlives the source.
class WorkloadSource : public RequestSource {
 public:
  explicit WorkloadSource(const Workload& workload);
  std::uint64_t count() const override { return workload_.requests.size(); }
  std::int64_t arrival_ns(std::uint64_t index) override { return workload_.requests[index].arrival_ns; }
  ClientRequest request(std::uint64_t index) const override;
  void block_names(std::uint64_t index, std::vector<core::BlockName>& names) const override;
  const NameTable& tenants() const override { return workload_.tenants; }
  const NameTable& models() const override { return workload_.models; }

 private:
  const Workload& workload_;
  std::vector<bool> channels_;  ///< by session: some request of it supersedes another
};

}  // namespace spillway::sim
