#include "app/device_profile.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "core/whole_file.h"
#include "sim/profile.h"

namespace spillway::app {

using core::Errc;

namespace {

constexpr std::uint32_t short_prompt = core::block_tokens;  // long enough to fill rows, too short for attention to count

/// Items of a step: prompts of `chunk` rows after `history`, and decodes at `context`.
struct Shape {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> prompts;  ///< (history, rows)
  std::uint32_t decodes = 0;
  std::uint32_t context = 0;
};

Shape dense_shape(std::uint32_t rows) {
  Shape shape;
  for (std::uint32_t left = rows; left > 0; left -= std::min(left, short_prompt))
    shape.prompts.emplace_back(0U, std::min(left, short_prompt));
  return shape;
}

std::uint32_t blocks_of(std::uint32_t tokens) {
  return (tokens + core::block_tokens - 1) / core::block_tokens;
}

std::uint64_t blocks_of(const Shape& shape) {
  std::uint64_t blocks = std::uint64_t{shape.decodes} * blocks_of(shape.context);
  for (const auto& [history, rows] : shape.prompts) blocks += blocks_of(history + rows);
  return blocks;
}

std::uint32_t rows_of(const Shape& shape) {
  std::uint32_t rows = shape.decodes;
  for (const auto& prompt : shape.prompts) rows += prompt.second;
  return rows;
}

bool fits(const core::ReplicaInfo& info, const Shape& shape, std::uint32_t rows_max) {
  for (const auto& [history, rows] : shape.prompts) {
    if (history + rows > info.context_max) return false;
  }
  return shape.context <= info.context_max && rows_of(shape) <= rows_max && blocks_of(shape) <= info.blocks;
}

/// Makes plans that open their sequences, run one step of a shape and close them, over blocks of their own.
class Steps {
 public:
  Steps(model::Device& device, std::uint32_t rounds) : device_(device), rounds_(rounds), request_(std::make_shared<core::Request>()) {
    request_->prompt = {0};
    request_->tokens_max = 2;
    request_->ignore_eos = true;
  }

  /// The median of some rounds, in microseconds; the first step of a shape warms up and does not count.
  core::Result<double> time(const Shape& shape) {
    const auto plan = plan_of(shape);
    std::vector<double> times;
    for (std::uint32_t round = 0; round <= rounds_; ++round) {
      const auto done = device_.execute(plan);
      if (!done) return tl::make_unexpected(done.error());
      if (round > 0) times.push_back(core::to_ms(done->elapsed) * 1e3);
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
  }

  core::StepPlan plan_of(const Shape& shape) const {
    core::StepPlan plan;
    core::BlockId block = 0;
    const auto add = [&](std::uint32_t first, std::uint32_t rows, bool draws) {
      const core::SequenceId sequence{plan.items.size() + 1};
      plan.opens.push_back({sequence, request_, 0, {}});
      core::StepItem item{sequence, first, {}, {}, {}, {}};
      for (std::uint32_t i = 0; i < rows; ++i)
        item.tokens.push_back(static_cast<core::TokenId>((i * 37 + plan.items.size() * 11 + 3) % device_.info().vocabulary));
      for (std::uint32_t b = 0; b < blocks_of(first + rows); ++b) item.blocks.push_back(block++);
      if (draws) item.samples.push_back({sequence, 0});
      plan.items.push_back(std::move(item));
      plan.closes.push_back(sequence);
    };
    for (const auto& [history, rows] : shape.prompts) add(history, rows, false);
    for (std::uint32_t i = 0; i < shape.decodes; ++i) add(shape.context - 1, 1, true);
    return plan;
  }

 private:
  model::Device& device_;
  std::uint32_t rounds_;
  std::shared_ptr<core::Request> request_;
};

/// The shapes whose attention is wanted, smallest first.
std::vector<Shape> attention_shapes(const core::ReplicaInfo& info, const ProfileGrid& grid) {
  const std::uint32_t rows_max = grid.rows.back();
  std::vector<Shape> shapes;
  const auto add = [&](std::uint32_t chunk, std::uint32_t history, std::uint32_t decodes, std::uint32_t context) {
    Shape shape;
    if (chunk > 0) shape.prompts.emplace_back(history, chunk);
    shape.decodes = decodes;
    shape.context = context;
    if (fits(info, shape, rows_max)) shapes.push_back(std::move(shape));
  };
  for (const auto decodes : grid.decodes) {
    for (const auto context : grid.contexts) add(0, 0, decodes, context);
  }
  for (const auto chunk : grid.chunks) {
    for (const auto history : grid.histories) add(chunk, history, 0, 0);
  }
  // Both at once: the ends and one point between of each axis, for here the two parts mostly add up.
  const auto thinned = [](const std::vector<std::uint32_t>& axis) {
    return std::set<std::uint32_t>{axis.front(), axis[axis.size() / 2], axis.back()};
  };
  for (const auto chunk : thinned(grid.chunks)) {
    for (const auto history : thinned(grid.histories)) {
      for (const auto decodes : thinned(grid.decodes)) {
        for (const auto context : thinned(grid.contexts)) add(chunk, history, decodes, context);
      }
    }
  }
  return shapes;
}

double interpolated(const std::vector<RowTime>& line, std::uint32_t x) {
  const auto above = std::find_if(line.begin(), line.end(), [&](const RowTime& t) { return t.count >= x; });
  if (above == line.end()) return line.back().time_us;
  if (above == line.begin() || above->count == x) return above->time_us;
  const RowTime& below = *(above - 1);
  return below.time_us + (above->time_us - below.time_us) * (x - below.count) / (above->count - below.count);
}

/// As the simulator's reader takes it: without quotes and escapes.
std::string quoted(std::string text) {
  for (char& c : text) {
    if (c == '\'' || c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') c = '_';
  }
  return "'" + text + "'";
}

/// `first` and its multiples by powers of `factor` below `most`, then `most`.
std::vector<std::uint32_t> doubling(std::uint32_t first, std::uint32_t factor, std::uint32_t most) {
  std::vector<std::uint32_t> axis;
  for (std::uint64_t x = first; x < most; x *= factor) axis.push_back(static_cast<std::uint32_t>(x));
  axis.push_back(std::max(most, 1U));
  return axis;
}

}  // namespace

ProfileGrid ProfileGrid::up_to(std::uint32_t rows_max, std::uint32_t decodes_max, std::uint32_t context_max) {
  ProfileGrid grid;
  const std::uint32_t chunk_max = std::min(rows_max, context_max);
  grid.rows = doubling(1, 2, std::max(rows_max, decodes_max));
  grid.decodes = doubling(1, 2, decodes_max);
  grid.contexts = doubling(core::block_tokens, 4, context_max);
  grid.chunks = doubling(std::min(core::block_tokens, chunk_max), 2, chunk_max);
  grid.histories = {0};
  if (context_max > chunk_max) {
    for (const auto history : doubling(std::min(256U, context_max - chunk_max), 4, context_max - chunk_max))
      grid.histories.push_back(history);
  }
  return grid;
}

core::Result<DeviceTimes> measure(model::Device& device, const ProfileGrid& grid, const ProfileProgress& progress) {
  const auto shapes = attention_shapes(device.info(), grid);
  const std::size_t all = grid.rows.size() + grid.decodes.size() + shapes.size();
  std::size_t done = 0;
  Steps steps(device, std::max(grid.rounds, 1U));
  DeviceTimes times;
  std::optional<core::Error> failed;
  const auto timed = [&](const Shape& shape) {
    if (failed) return 0.0;
    const auto time = steps.time(shape);
    if (!time) {
      failed = time.error();
    } else if (progress && !progress(++done, all)) {
      failed = core::Error{Errc::cancelled, "stopped after " + std::to_string(done) + " of " + std::to_string(all) + " points"};
    }
    return time ? *time : 0.0;
  };
  for (const auto rows : grid.rows) times.dense.push_back({rows, timed(dense_shape(rows))});
  for (const auto decodes : grid.decodes) {
    const double time = timed({{}, decodes, 1});
    times.head.push_back({decodes, std::max(0.0, time - interpolated(times.dense, decodes))});
  }
  for (const auto& shape : shapes) {
    AttentionTime point;
    if (!shape.prompts.empty()) std::tie(point.history, point.chunk) = shape.prompts.front();
    point.decodes = shape.decodes;
    point.context = shape.context;
    double rest = timed(shape) - interpolated(times.dense, rows_of(shape));
    if (shape.decodes > 0) rest -= interpolated(times.head, shape.decodes);
    point.time_us = std::max(0.0, rest);
    times.attention.push_back(point);
  }
  if (failed) return tl::make_unexpected(*failed);
  return times;
}

core::Result<ProfileCheck> check_profile(model::Device& device, const std::string& folder, const ProfileGrid& grid) {
  const auto profile = sim::read_profile(folder, std::nullopt);
  if (!profile) return tl::make_unexpected(profile.error());
  Steps steps(device, std::max(grid.rounds, 1U));
  ProfileCheck check;
  const std::uint32_t context_max = grid.contexts.back();
  for (const std::uint32_t decodes : {0U, 1U, 3U, 11U}) {
    for (const std::uint32_t chunk : {0U, 24U, 200U}) {
      Shape shape;
      shape.decodes = std::min(decodes, grid.decodes.back());
      shape.context = decodes > 0 ? std::max(context_max / 3, 1U) : 0;
      if (chunk > 0) shape.prompts.emplace_back(context_max / 5, chunk);
      if (rows_of(shape) == 0 || !fits(device.info(), shape, grid.rows.back())) continue;
      const auto real = steps.time(shape);
      if (!real) return tl::make_unexpected(real.error());
      const auto said = profile->costs.time_of(sim::shape_of(steps.plan_of(shape)));
      if (!said) return tl::make_unexpected(said.error());
      const double percent = *real > 0 ? std::abs(core::to_ms(*said) * 1e3 - *real) / *real * 100 : 0;
      ++check.steps;
      check.mean_percent += percent;
      check.worst_percent = std::max(check.worst_percent, percent);
    }
  }
  if (check.steps > 0) check.mean_percent /= static_cast<double>(check.steps);
  return check;
}

core::Result<void> write_profile(const std::string& folder, const DeviceTimes& times, const core::ReplicaInfo& info, unsigned threads) {
  std::ostringstream dense, head, attention, meta;
  dense << "layer,tokens,time_us\n";
  for (const auto& time : times.dense) dense << "step," << time.count << ',' << time.time_us << '\n';
  head << "layer,sequences,time_us\n";
  for (const auto& time : times.head) head << "lm_head," << time.count << ',' << time.time_us << '\n';
  attention << "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n";
  for (const auto& t : times.attention)
    attention << t.chunk << ',' << t.history << ',' << t.decodes << ',' << t.context << ',' << t.time_us << '\n';
  meta << "# Whole steps of a Spillway worker, in three parts; all layers together, hence layers: 1.\nmodel: " << quoted(info.model_name)
       << "\nlayers: 1\ntp_degrees: [1]\ninstruction_set: " << info.isa << "\nthreads: " << threads << "\nskew_fit:\n  enabled: false\n";
  return core::write_whole_files(
      folder,
      {{"dense.csv", dense.str()}, {"per_sequence.csv", head.str()}, {"attention.csv", attention.str()}, {"meta.yaml", meta.str()}});
}

}  // namespace spillway::app
