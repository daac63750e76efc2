#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "core/time.h"

namespace spillway::sim {

/// Bulk traffic as a fluid: every flow runs over a path of links, and at any time the rates are max-min fair (no flow can get more
/// without taking from one that has no more than it). Rates change only when a flow begins or ends; between these everything is
/// linear. A flow carries pieces, one behind the other, and lasts as long as it has any.
///
/// Units   bytes, bytes a second; double with + - x / alone, so every machine computes the same.
/// Errors  none; a path is of links that exist (SPILLWAY_ASSERT).
class FluidNetwork {
 public:
  using Link = std::uint32_t;
  using Flow = std::uint64_t;  ///< chosen by the caller

  Link add_link(double bytes_per_second);
  double capacity(Link link) const { return links_[link].capacity; }

  /// Appends a piece to a flow, which begins with its first. `tag` comes back when the piece is through. A path without links (both
  /// ends on one node) takes no time.
  void send(Flow flow, const std::vector<Link>& path, std::uint64_t bytes, std::uint64_t tag, core::Instant now);
  /// The flow ends and its pieces are gone; their tags come back.
  std::vector<std::uint64_t> stop(Flow flow, core::Instant now);
  bool running(Flow flow) const { return flows_.contains(flow); }
  /// When the next piece is through, if nothing else begins; core::never when nothing flows.
  core::Instant next_end();
  /// Tags of the pieces that are through by `now`, by flow, then in order.
  std::vector<std::uint64_t> ended(core::Instant now);

  /// Bytes a second at this moment; 0 when it does not run.
  double rate(Flow flow);
  std::uint64_t flows_begun() const { return begun_; }
  std::uint64_t solved() const { return solved_; }  ///< how often rates were computed

 private:
  struct Piece {
    double left = 0;
    std::uint64_t tag = 0;
  };
  struct Running {
    std::vector<Link> path;
    std::deque<Piece> pieces;
    double rate = 0;
  };
  struct LinkState {
    double capacity = 0;
    double left = 0;            // while solving
    std::uint32_t unfixed = 0;  // flows through it whose rate is not known yet
  };
  void advance(core::Instant now);
  void solve();

  std::vector<LinkState> links_;
  std::vector<Link> used_;  // by flows, while solving
  std::map<Flow, Running> flows_;
  std::vector<std::uint64_t> through_;  // ended by now_, not yet told
  core::Instant now_{};
  bool stale_ = false;
  bool next_known_ = false;
  core::Instant next_{};  // when the next piece is through
  std::uint64_t begun_ = 0;
  std::uint64_t solved_ = 0;
};

}  // namespace spillway::sim
