#include "sim/profile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/text.h"
#include "sim/trace_rows.h"
#include "sim/yaml.h"

namespace spillway::sim {

namespace {

struct KnownOp {
  std::string_view name;
  std::int64_t per_step;
  std::int64_t per_layer;
  bool required;
};

/// The ops of a dense decoder, but attention.
constexpr KnownOp dense_ops[] = {
    {"embedding", 1, 0, true},  {"layernorm", 0, 2, true},       {"qkv_proj", 0, 1, true}, {"qk_norm", 0, 1, false},
    {"rotary_emb", 0, 1, true}, {"o_proj", 0, 1, true},          {"act_fn", 0, 1, true},   {"gate_up_proj", 0, 1, true},
    {"down_proj", 0, 1, true},  {"final_layernorm", 1, 0, true},
};
/// All of them at once, as `spillway profile` measures them.
constexpr KnownOp whole_step_ops[] = {{"step", 1, 0, true}};
constexpr KnownOp per_sequence_ops[] = {{"lm_head", 1, 0, true}, {"sampler", 1, 0, false}};

constexpr std::pair<std::string_view, std::int64_t> known_depths[] = {
    {"Llama-3.1-8B", 32},  {"Llama-3.1-70B", 80}, {"Llama-3.2-1B", 16}, {"Llama-3.2-3B", 28},
    {"Llama-3.3-70B", 80}, {"Qwen3-8B", 36},      {"Qwen3-14B", 40},    {"Qwen3-32B", 64},
};

constexpr double time_us_max = static_cast<double>(picos_max) / 1e6;

Picos to_picos(double time_us) {
  return std::llround(time_us * 1e6);
}

std::string names_of(std::span<const KnownOp> known) {
  std::string text;
  for (const auto& op : known) text += (text.empty() ? "" : ", ") + std::string(op.name);
  return text;
}

/// What the rows must name: the parts of a step, or the step as a whole where a row does.
core::Result<std::span<const KnownOp>> known_dense_ops(const std::string& path) {
  const auto file = read_text(path);
  if (!file) return tl::make_unexpected(file.error());
  if (file->text.find("\nstep,") != std::string::npos) return std::span<const KnownOp>(whole_step_ops);
  return std::span<const KnownOp>(dense_ops);
}

core::Result<std::vector<OpCost>> read_ops(const std::string& path, const std::string& axis, std::span<const KnownOp> known) {
  std::vector<OpCost> ops;
  const auto each = [&](TraceRows& rows) {
    const auto name = rows.text(0);
    const auto x = static_cast<std::int64_t>(rows.whole(1, 0, axis_max, axis));
    const auto time = to_picos(rows.real(2, 0, time_us_max, "us"));
    const auto op = std::find_if(known.begin(), known.end(), [&](const KnownOp& k) { return k.name == name; });
    if (op == known.end()) return rows.wrong(0, "want one of " + names_of(known));
    auto cost = std::find_if(ops.begin(), ops.end(), [&](const OpCost& o) { return o.name == name; });
    if (cost == ops.end()) cost = ops.insert(ops.end(), OpCost{name, {}, op->per_step, op->per_layer});
    if (!rows.failed() && !cost->time.add(x, time))
      rows.wrong_row(name + " has a time for " + std::to_string(x) + " " + axis + " already: want one");
  };
  const auto read = for_each_row(path, "times of layers", {{"layer"}, {axis}, {"time_us"}}, each);
  if (!read) return tl::make_unexpected(read.error());
  for (const auto& op : known) {
    const bool there = std::any_of(ops.begin(), ops.end(), [&](const OpCost& o) { return o.name == op.name; });
    if (op.required && !there) return wrong_at(path, 1, "no row of the layer " + std::string(op.name) + ": want its times");
  }
  return ops;
}

/// Points of attention by what the step held.
struct AttentionPoints {
  std::vector<GridTable::Point> decode;
  std::vector<GridTable::Point> prefill;
  std::vector<GridTable::Point> mixed;
};

core::Result<AttentionPoints> read_attention_points(const std::string& path) {
  AttentionPoints points;
  std::set<std::array<std::int64_t, GridTable::axes>> seen;
  const auto each = [&](TraceRows& rows) {
    GridTable::Point point;
    for (std::size_t a = 0; a < GridTable::axes; ++a)
      point.x[a] = static_cast<std::int64_t>(rows.whole(a, 0, axis_max, a == 2 ? "streams" : "tokens"));
    point.time = to_picos(rows.real(4, 0, time_us_max, "us"));
    const auto& [chunk, history, decodes, context] = point.x;
    if (rows.has(5) && rows.text(5) != "attention") return rows.wrong(5, "want attention");
    if (chunk == 0 && decodes == 0) return rows.wrong_row("neither a prefill chunk nor decodes: want one of them above 0");
    if (chunk == 0 && history != 0) return rows.wrong_row("kv_prefill without a prefill chunk: want 0");
    if ((decodes == 0) != (context == 0)) return rows.wrong_row("n_decode and kv_decode: want both 0 or neither");
    if (!seen.insert(point.x).second) return rows.wrong_row("a second time for the same point: want one");
    (chunk == 0 ? points.decode : decodes == 0 ? points.prefill : points.mixed).push_back(point);
  };
  const auto read = for_each_row(path, "times of attention",
                                 {{"prefill_chunk"}, {"kv_prefill"}, {"n_decode"}, {"kv_decode"}, {"time_us"}, {"layer", false}}, each);
  if (!read) return tl::make_unexpected(read.error());
  return points;
}

core::Result<bool> read_attention(const std::string& path, CostModel& costs) {
  const auto points = read_attention_points(path);
  if (!points) return tl::make_unexpected(points.error());
  const std::array<std::pair<const std::vector<GridTable::Point>*, GridTable*>, 3> kinds = {
      {{&points->decode, &costs.decode_attention}, {&points->prefill, &costs.prefill_attention}, {&points->mixed, &costs.mixed_attention}}};
  for (const auto& [kind, grid] : kinds) {
    if (kind->empty()) return wrong_at(path, 1, "no points of decodes alone, of prefill alone or of both: want all three kinds");
    auto made = GridTable::make(*kind);
    if (!made) return wrong_at(path, 1, "the values of its axes span more than " + std::to_string(GridTable::places_max) + " places");
    *grid = std::move(*made);
  }
  return true;
}

core::Result<std::int64_t> depth_of(const std::string& path, const YamlNode& meta, const YamlNode& node) {
  if (const auto* layers = meta.find("layers")) {
    const auto value = parse_number(layers->scalar);
    if (value && *value >= 1 && *value <= static_cast<double>(layers_max) && *value == std::floor(*value))
      return static_cast<std::int64_t>(*value);
    return wrong_at(path, layers->line,
                    "layers is \"" + layers->scalar + "\": want a whole number from 1 to " + std::to_string(layers_max));
  }
  const std::string_view model = node.scalar;
  const auto base = model.substr(model.rfind('/') + 1);
  for (const auto& [name, layers] : known_depths) {
    // "Llama-3.1-8B-Instruct" and "Meta-Llama-3.1-8B" are as deep; "Llama-3.1-8Bx" is another model.
    const auto at = base.find(name);
    if (at == std::string_view::npos || (at > 0 && base[at - 1] != '-')) continue;
    const auto end = at + name.size();
    if (end == base.size() || base[end] == '-') return layers;
  }
  return wrong_at(path, node.line, "the number of layers of the model \"" + node.scalar + "\" is unknown: want --layers N");
}

core::Result<bool> read_meta(const std::string& folder, std::optional<std::int64_t> layers, Profile& profile) {
  const std::string path = folder + "/meta.yaml";
  const auto file = read_text(path);
  if (!file) return tl::make_unexpected(file.error());
  const auto meta = parse_yaml(path, file->text);
  if (!meta) return tl::make_unexpected(meta.error());
  const auto* model = meta->find("model");
  if (model == nullptr || model->scalar.empty()) return wrong_at(path, meta->line, "no key model: want the model's name");
  profile.model = model->scalar;
  if (const auto* degrees = meta->find("tp_degrees")) {
    const auto& list = degrees->list;
    if (std::none_of(list.begin(), list.end(), [](const YamlNode& n) { return n.scalar == "1"; }))
      return wrong_at(path, degrees->line, "tp_degrees lacks 1: want times of one device");
  }
  const auto depth = layers ? core::Result<std::int64_t>(*layers) : depth_of(path, *meta, *model);
  if (!depth) return tl::make_unexpected(depth.error());
  profile.costs.layers = *depth;
  if (const auto* overhead = meta->find("step_overhead_us")) {
    const auto value = parse_number(overhead->scalar);
    if (!value || *value < 0 || *value > time_us_max)
      return wrong_at(path, overhead->line, "step_overhead_us is \"" + overhead->scalar + "\": want microseconds from 0 to 1000000");
    profile.costs.step_overhead = to_picos(*value);
  }
  auto skew = SkewFit::read(folder, path, *meta);
  if (!skew) return tl::make_unexpected(skew.error());
  profile.costs.skew = std::move(*skew);
  return true;
}

}  // namespace

core::Result<Profile> read_profile(const std::string& folder, std::optional<std::int64_t> layers) {
  Profile profile;
  if (auto read = read_meta(folder, layers, profile); !read) return tl::make_unexpected(read.error());
  const auto dense_known = known_dense_ops(folder + "/dense.csv");
  if (!dense_known) return tl::make_unexpected(dense_known.error());
  auto dense = read_ops(folder + "/dense.csv", "tokens", *dense_known);
  if (!dense) return tl::make_unexpected(dense.error());
  profile.costs.dense = std::move(*dense);
  auto per_sequence = read_ops(folder + "/per_sequence.csv", "sequences", per_sequence_ops);
  if (!per_sequence) return tl::make_unexpected(per_sequence.error());
  profile.costs.per_sequence = std::move(*per_sequence);
  if (auto read = read_attention(folder + "/attention.csv", profile.costs); !read) return tl::make_unexpected(read.error());
  return profile;
}

}  // namespace spillway::sim
