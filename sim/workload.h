#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/request.h"
#include "core/result.h"

/// What users ask of a cluster over time: the one record that every trace, generator and report shares.
namespace spillway::sim {

inline constexpr std::uint64_t workload_requests_max = 100'000'000;  ///< of one workload
inline constexpr std::uint64_t workload_blocks_max = 0xfffffffe;     ///< distinct blocks of one workload
inline constexpr std::uint32_t workload_tokens_max = 1U << 30;       ///< input or output of one request
inline constexpr std::uint32_t workload_block_tokens_max = 65'535;
inline constexpr std::int64_t workload_time_ns_max = std::int64_t{1} << 60;  ///< 36 years; arrivals, think times, deadlines
inline constexpr std::uint32_t no_parent = 0xffffffffU;

/// One call. Strings and blocks are numbers into the Workload that holds it, so millions of records fit: 64 bytes each.
/// Blocks cover the input from its start; the last one is partial where block_count * block_tokens > input_tokens (a trace
/// that names tail blocks). Two requests with the same number at the same place share that block and all before it.
struct WorkloadRequest {
  std::int64_t arrival_ns = 0;       ///< from the start of the workload
  std::int64_t think_ns = 0;         ///< from the end of the parent to this arrival; 0 = none or not known
  std::int64_t deadline_ns = 0;      ///< after arrival, for the whole answer; 0 = none
  std::uint64_t first_block = 0;     ///< place in Workload::blocks
  std::uint32_t block_count = 0;     ///< 0 = nothing is known of shared prefixes, so nothing is shared
  std::uint32_t input_tokens = 0;    ///< at least 1
  std::uint32_t output_tokens = 0;   ///< 0 = scoring
  std::uint32_t tenant = 0;          ///< in Workload::tenants
  std::uint32_t model = 0;           ///< in Workload::models
  std::uint32_t session = 0;         ///< 1 to Workload::sessions; 0 = none
  std::uint32_t parent = no_parent;  ///< index of the earlier request of the session that this one continues
  std::uint16_t block_tokens = 0;    ///< of each block; 0 when block_count is
  core::ServiceClass service_class = core::ServiceClass::interactive;
  bool supersedes = false;  ///< makes its parent worthless if that is unfinished: a newer caption of the channel
  friend bool operator==(const WorkloadRequest&, const WorkloadRequest&) = default;
};
static_assert(sizeof(WorkloadRequest) == 64);

/// Names by number, in order of their first use.
class NameTable {
 public:
  std::uint32_t add(std::string_view name);
  /// `number` must be below size().
  const std::string& at(std::uint32_t number) const { return names_.at(number); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(names_.size()); }
  friend bool operator==(const NameTable& a, const NameTable& b) { return a.names_ == b.names_; }

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::uint32_t, std::less<>> numbers_;
};

/// Owns its requests, their blocks and names. Always in normal form: requests by arrival (at equal time in the order of the
/// source), and tenants, models, sessions and blocks numbered by first use without gaps. So equal content is `==`.
struct Workload {
  std::vector<WorkloadRequest> requests;
  std::vector<std::uint32_t> blocks;  ///< pool: the block numbers of one request after those of another
  NameTable tenants;
  NameTable models;
  std::uint32_t sessions = 0;
  std::uint32_t distinct_blocks = 0;  ///< numbers in `blocks` are below

  std::span<const std::uint32_t> blocks_of(const WorkloadRequest& request) const {
    return std::span(blocks).subspan(request.first_block, request.block_count);
  }
  friend bool operator==(const Workload&, const Workload&) = default;
};

/// A workload, and what reading it left out or assumed, a sentence each.
struct LoadedWorkload {
  Workload workload;
  std::vector<std::string> notes;
};

/// A request as its source tells it. Views need to live during WorkloadBuilder::add alone.
struct DraftRequest {
  std::int64_t arrival_ns = 0;
  std::int64_t think_ns = 0;
  std::int64_t deadline_ns = 0;
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::string_view tenant = "default";
  std::string_view model = "default";
  std::uint64_t session = 0;         ///< any number but 0, which is none
  std::uint32_t parent = no_parent;  ///< index that add() returned
  core::ServiceClass service_class = core::ServiceClass::interactive;
  bool supersedes = false;
  std::uint16_t block_tokens = 0;
  std::span<const std::uint64_t> blocks;  ///< any numbers; equal numbers of equal block_tokens are the same block
};

/// Collects requests in any order and makes the normal form.
class WorkloadBuilder {
 public:
  /// The request's index. Values must be in the ranges above, the parent must have been added (SPILLWAY_ASSERT).
  std::uint32_t add(const DraftRequest& request);
  /// For sources that name parents before they are known. Both must have been added.
  void set_parent(std::uint32_t request, std::uint32_t parent, std::uint64_t session);
  std::int64_t arrival_ns(std::uint32_t request) const { return draft_.requests.at(request).arrival_ns; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(draft_.requests.size()); }
  /// Whether the workload's limits are reached; further requests are not taken.
  bool full() const { return full_; }
  /// Subtracts this from every arrival: traces that stamp with dates.
  void shift(std::int64_t by_ns);
  /// Ends the building. Errors: bad_file when more requests or blocks were added than a workload holds.
  /// A parent that does not come before its child is our bug (SPILLWAY_ASSERT).
  core::Result<Workload> finish();

 private:
  std::uint32_t session_number(std::uint64_t session);

  Workload draft_;
  std::map<std::uint16_t, std::unordered_map<std::uint64_t, std::uint32_t>> block_numbers_;
  std::unordered_map<std::uint64_t, std::uint32_t> session_numbers_;
  bool full_ = false;
};

/// The same requests in normal form: sorts, renumbers, drops blocks and names that nobody uses. `parent` are indices in
/// `draft.requests`; a parent that does not come before its child is our bug.
Workload normal_form(Workload draft);

}  // namespace spillway::sim
