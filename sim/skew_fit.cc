#include "sim/skew_fit.h"

#include <algorithm>
#include <cmath>

#include "sim/text.h"
#include "sim/trace_rows.h"

namespace spillway::sim {

namespace {

constexpr double alpha_max = 60.0;

Fixed fixed_alpha(double alpha) {
  return std::llround(alpha * static_cast<double>(fixed_one));
}

core::Result<double> number_of(const std::string& path, const YamlNode& node, const std::string& what, double low, double high) {
  const auto value = node.kind == YamlNode::Kind::scalar ? parse_number(node.scalar) : std::nullopt;
  if (value && *value >= low && *value <= high) return *value;
  return wrong_at(path, node.line, what + " is \"" + node.scalar + "\": want a number");
}

/// The key of a bucket without the name of the kernel before it ("attention|pc=0|..."); empty for another kernel.
std::string bare_key(const std::string& key, std::size_t parts_wanted) {
  const auto parts = static_cast<std::size_t>(std::count(key.begin(), key.end(), '|')) + 1;
  if (parts != parts_wanted + 1) return key;
  const auto bar = key.find('|');
  return key.substr(0, bar) == "attention" ? key.substr(bar + 1) : std::string{};
}

double value_of(const std::string& axis, const AttentionShape& s, Picos mean, Picos max) {
  const std::int64_t history = s.history / fixed_one;  // whole tokens
  if (axis == "pc") return static_cast<double>(s.chunk);
  if (axis == "n") return static_cast<double>(s.decodes);
  if (axis == "kv_big") return static_cast<double>(s.context_max);
  if (axis == "kp") return static_cast<double>(history);
  if (axis == "lev") return mean > 0 ? static_cast<double>(max - mean) / static_cast<double>(mean) : 0.0;
  const auto spread = to_fixed(s.context_max - s.context_min);
  return spread > 0 ? static_cast<double>(s.context_mean - to_fixed(s.context_min)) / static_cast<double>(spread) : 0.0;
}

}  // namespace

core::Result<SkewFit::Axis> SkewFit::read_axis(const std::string& path, const YamlNode& axes, const std::string& name) {
  static const std::vector<std::string> known = {"pc", "n", "skew_rate", "kv_big", "kp", "lev"};
  Axis axis{name, {}, {}};
  if (std::find(known.begin(), known.end(), name) == known.end())
    return wrong_at(path, axes.line, "the bucket axis \"" + name + "\" is unknown: want pc, n, skew_rate, kv_big, kp or lev");
  const auto* bins = axes.find(name + "_bins");
  const auto* labels = axes.find(name + "_labels");
  if (name == "pc" && bins == nullptr && labels == nullptr) return axis;
  if (bins == nullptr || labels == nullptr) return wrong_at(path, axes.line, "bucket_axes lacks " + name + "_bins or " + name + "_labels");
  for (const auto& node : bins->list) {
    const auto edge = number_of(path, node, name + "_bins", -1e18, 1e18);
    if (!edge) return tl::make_unexpected(edge.error());
    if (!axis.bins.empty() && *edge <= axis.bins.back()) return wrong_at(path, bins->line, name + "_bins: want ascending edges");
    axis.bins.push_back(*edge);
  }
  for (const auto& node : labels->list) axis.labels.push_back(node.scalar);
  if (axis.labels.empty() || axis.bins.size() != axis.labels.size() + 1)
    return wrong_at(path, bins->line,
                    std::to_string(axis.bins.size()) + " " + name + "_bins and " + std::to_string(axis.labels.size()) +
                        " labels: want one edge more than labels");
  return axis;
}

core::Result<bool> SkewFit::read_axes(const std::string& path, const YamlNode& fit) {
  const auto* axes = fit.find("bucket_axes");
  if (axes == nullptr) return false;
  if (axes->kind != YamlNode::Kind::map) return wrong_at(path, axes->line, "bucket_axes: want a mapping of bins and labels");
  std::vector<std::string> names = {"pc", "n", "skew_rate", "kv_big", "kp"};
  if (const auto* list = axes->find("axes")) {
    names.clear();
    for (const auto& node : list->list) names.push_back(node.scalar);
  }
  for (const auto& name : names) {
    auto axis = read_axis(path, *axes, name);
    if (!axis) return tl::make_unexpected(axis.error());
    axes_.push_back(std::move(*axis));
  }
  return !axes_.empty();
}

core::Result<bool> SkewFit::read_table(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& axis : axes_) names.push_back(axis.bins.empty() ? axis.name : axis.name + "_label");
  std::vector<TraceColumn> columns = {{"alpha"}};
  for (const auto& name : names) columns.push_back({name, false});
  const std::size_t layer = columns.size();
  columns.insert(columns.end(), {{"layer", false}, {"raw_key", false}});
  const auto each = [&](TraceRows& rows) {
    const double alpha = rows.real(0, -alpha_max, alpha_max, "");
    if (rows.has(layer) && rows.text(layer) != "attention") return;  // another kernel's
    std::string key = bare_key(rows.text(layer + 1), axes_.size());
    if (!rows.has(layer + 1)) {
      for (std::size_t a = 0; a < axes_.size(); ++a) {
        if (!rows.has(1 + a)) return rows.wrong(1 + a, "want the bucket's label");
        const auto cell = rows.text(1 + a);
        key += (a == 0 ? "" : "|") + (axes_[a].bins.empty() ? axes_[a].name + "=" + cell : cell);
      }
    }
    if (!key.empty() && !rows.failed()) alphas_[key] = fixed_alpha(alpha);
  };
  const auto read = for_each_row(path, "a skew fit by bucket", std::move(columns), each);
  if (!read) return tl::make_unexpected(read.error());
  return true;
}

core::Result<bool> SkewFit::read_inline(const std::string& path, const YamlNode& buckets) {
  for (std::size_t i = 0; i < buckets.keys.size(); ++i) {
    const auto& name = buckets.keys[i];
    const auto alpha = number_of(path, buckets.list[i], "alpha_by_bucket." + name, -alpha_max, alpha_max);
    if (!alpha) return tl::make_unexpected(alpha.error());
    const auto key = bare_key(name, axes_.size());
    if (!key.empty()) alphas_[key] = fixed_alpha(*alpha);
  }
  return true;
}

core::Result<SkewFit> SkewFit::read(const std::string& folder, const std::string& path, const YamlNode& meta) {
  SkewFit result;
  const auto* fit = meta.find("skew_fit");
  const auto* enabled = fit == nullptr ? nullptr : fit->find("enabled");
  if (enabled == nullptr || enabled->scalar == "false") return result;
  if (enabled->scalar != "true")
    return wrong_at(path, enabled->line, "skew_fit.enabled is \"" + enabled->scalar + "\": want true or false");
  const auto* per_tp = fit->find("per_tp");
  const auto* one = per_tp == nullptr ? nullptr : per_tp->find("1");
  if (one == nullptr) return wrong_at(path, fit->line, "skew_fit is enabled and has no per_tp.1: want the fit for one device");
  const auto* pooled = one->find("alpha_default");
  if (pooled == nullptr) return wrong_at(path, one->line, "skew_fit.per_tp.1 has no alpha_default: want a number");
  const auto alpha = number_of(path, *pooled, "alpha_default", -alpha_max, alpha_max);
  if (!alpha) return tl::make_unexpected(alpha.error());
  result.enabled_ = true;
  result.default_ = fixed_alpha(*alpha);
  const auto axes = result.read_axes(path, one->find("bucket_axes") != nullptr ? *one : *fit);
  if (!axes) return tl::make_unexpected(axes.error());
  if (!*axes) return result;  // without axes no bucket can be told
  if (const auto* buckets = one->find("alpha_by_bucket")) {
    if (auto read = result.read_inline(path, *buckets); !read) return tl::make_unexpected(read.error());
  }
  if (const auto* name = one->find("bucket_table"); name != nullptr && !name->scalar.empty()) {
    auto table = folder + "/" + name->scalar;  // "tp1/skew_fit.csv", or flat beside meta.yaml
    if (!file_exists(table)) table = folder + "/" + name->scalar.substr(name->scalar.rfind('/') + 1);
    if (!file_exists(table)) return result;
    if (auto read = result.read_table(table); !read) return tl::make_unexpected(read.error());
  }
  return result;
}

Fixed SkewFit::alpha(const AttentionShape& shape, Picos mean, Picos max) const {
  if (!enabled_ || alphas_.empty()) return default_;
  std::string key;
  for (const auto& axis : axes_) {
    if (!key.empty()) key += '|';
    if (axis.bins.empty()) {
      key += axis.name + "=" + std::to_string(shape.chunk);
      continue;
    }
    const double value = value_of(axis.name, shape, mean, max);
    const auto above = std::lower_bound(axis.bins.begin() + 1, axis.bins.end(), value);  // the first edge that is not below
    const auto bin = std::min(static_cast<std::size_t>(above - axis.bins.begin() - 1), axis.labels.size() - 1);
    key += axis.labels[bin];
  }
  const auto found = alphas_.find(key);
  return found == alphas_.end() ? default_ : found->second;
}

}  // namespace spillway::sim
