#include "sim/fluid_network.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace spillway::sim {

namespace {
constexpr double nanos = 1e9;
constexpr double byte_rest = 1e-3;  // less of a piece than that is through: what rounding to nanoseconds leaves
}  // namespace

FluidNetwork::Link FluidNetwork::add_link(double bytes_per_second) {
  SPILLWAY_ASSERT(bytes_per_second > 0);
  links_.push_back({bytes_per_second, 0, 0});
  return static_cast<Link>(links_.size() - 1);
}

void FluidNetwork::send(Flow flow, const std::vector<Link>& path, std::uint64_t bytes, std::uint64_t tag, core::Instant now) {
  advance(now);
  next_known_ = false;
  if (path.empty() || bytes == 0) {
    through_.push_back(tag);
    return;
  }
  const auto [it, fresh] = flows_.try_emplace(flow);
  if (fresh) {
    for (const auto link : path) SPILLWAY_ASSERT(link < links_.size());
    it->second.path = path;
    ++begun_;
    stale_ = true;
  }
  it->second.pieces.push_back({static_cast<double>(bytes), tag});
}

std::vector<std::uint64_t> FluidNetwork::stop(Flow flow, core::Instant now) {
  advance(now);
  next_known_ = false;
  std::vector<std::uint64_t> tags;
  const auto it = flows_.find(flow);
  if (it == flows_.end()) return tags;
  for (const Piece& piece : it->second.pieces) tags.push_back(piece.tag);
  flows_.erase(it);
  stale_ = true;
  return tags;
}

void FluidNetwork::advance(core::Instant now) {
  if (now <= now_) return;
  next_known_ = false;
  if (!flows_.empty()) {
    if (stale_) solve();
    const double seconds = static_cast<double>((now - now_).count()) / nanos;
    for (auto it = flows_.begin(); it != flows_.end();) {
      Running& f = it->second;
      double bytes = f.rate * seconds;
      while (!f.pieces.empty() && f.pieces.front().left - bytes <= byte_rest) {
        bytes = std::max(0.0, bytes - f.pieces.front().left);
        through_.push_back(f.pieces.front().tag);
        f.pieces.pop_front();
      }
      if (f.pieces.empty()) {
        it = flows_.erase(it);
        stale_ = true;
        continue;
      }
      f.pieces.front().left -= bytes;
      ++it;
    }
  }
  now_ = now;
}

void FluidNetwork::solve() {
  // Progressive filling: the link that has least for each of its flows fixes their rates; the rest share what is left.
  ++solved_;
  stale_ = false;
  used_.clear();
  std::size_t unfixed = flows_.size();
  for (auto& [id, f] : flows_) {
    f.rate = -1;
    for (const auto link : f.path) {
      LinkState& state = links_[link];
      if (state.unfixed++ > 0) continue;
      state.left = state.capacity;
      used_.push_back(link);
    }
  }
  while (unfixed > 0) {
    double least = -1;
    for (const auto used : used_) {
      const LinkState& link = links_[used];
      if (link.unfixed == 0) continue;
      const double share = link.left / link.unfixed;
      if (least < 0 || share < least) least = share;
    }
    SPILLWAY_ASSERT(least >= 0);
    std::size_t fixed = 0;
    for (auto& [id, f] : flows_) {
      if (f.rate >= 0) continue;
      const bool here = std::any_of(f.path.begin(), f.path.end(),
                                    [&](Link link) { return links_[link].left <= least * links_[link].unfixed * (1 + 1e-12); });
      if (!here) continue;
      f.rate = least;
      ++fixed;
      for (const auto link : f.path) {
        links_[link].left = std::max(0.0, links_[link].left - least);
        --links_[link].unfixed;
      }
    }
    SPILLWAY_ASSERT(fixed > 0);
    unfixed -= fixed;
  }
}

core::Instant FluidNetwork::next_end() {
  if (!through_.empty()) return now_;
  if (flows_.empty()) return core::never;
  if (next_known_) return next_;
  if (stale_) solve();
  double least = -1;
  for (const auto& [id, f] : flows_) {
    const double seconds = f.pieces.front().left / f.rate;
    if (least < 0 || seconds < least) least = seconds;
  }
  next_known_ = true;
  next_ = now_ + core::Duration(static_cast<std::int64_t>(least * nanos) + 1);
  return next_;
}

std::vector<std::uint64_t> FluidNetwork::ended(core::Instant now) {
  advance(now);
  return std::exchange(through_, {});
}

double FluidNetwork::rate(Flow flow) {
  if (stale_) solve();
  const auto it = flows_.find(flow);
  return it == flows_.end() ? 0 : it->second.rate;
}

}  // namespace spillway::sim
