#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/cost_table.h"
#include "sim/yaml.h"

namespace spillway::sim {

/// What a batch looks like to the kernel of attention. Contexts are in tokens.
struct AttentionShape {
  std::int64_t chunk = 0;    ///< rows of all prefill chunks
  std::int64_t decodes = 0;  ///< sequences with one row
  Fixed history = 0;         ///< rows before the chunks, mean weighted by their rows
  Fixed context_mean = 0;    ///< of the decodes, their own row included
  std::int64_t context_min = 0;
  std::int64_t context_max = 0;
};

/// How much longer attention takes because the contexts of a decode batch differ: time = t(mean) + a (t(max) - t(mean)). `a` is
/// fitted per bucket of batches by the profiler (meta.yaml: skew_fit, and the CSV file that skew_fit.per_tp.1.bucket_table names),
/// with one default for the rest; 0 without a fit.
///
/// Buckets: the axes pc (rows of the chunk, not binned), n (decodes), skew_rate ((mean - min) / (max - min) of the contexts),
/// kv_big (max), kp (history) as named by the profile's columns, or the axes that skew_fit.bucket_axes.axes lists, of these and
/// lev ((t(max) - t(mean)) / t(mean)). Bin i holds values above edge i and up to edge i + 1; the last one also what is larger.
class SkewFit {
 public:
  /// No skew: a = 0.
  SkewFit() = default;
  /// `meta` is the root of DIR/meta.yaml, `path` its name. A bucket table that is not there leaves the default for all.
  /// Errors  skew_fit is enabled but incomplete, or the table cannot be read: file:line.
  static core::Result<SkewFit> read(const std::string& folder, const std::string& path, const YamlNode& meta);

  bool enabled() const { return enabled_; }
  std::size_t buckets() const { return alphas_.size(); }
  /// a of a batch of more than one decode. `mean` and `max` are the times looked up at its mean and longest context.
  Fixed alpha(const AttentionShape& shape, Picos mean, Picos max) const;

 private:
  struct Axis {
    std::string name;
    std::vector<double> bins;  ///< edges, one more than labels; empty: the value itself, as "name=value"
    std::vector<std::string> labels;
  };
  core::Result<bool> read_axes(const std::string& path, const YamlNode& fit);
  core::Result<bool> read_table(const std::string& path);
  core::Result<bool> read_inline(const std::string& path, const YamlNode& buckets);
  static core::Result<Axis> read_axis(const std::string& path, const YamlNode& axes, const std::string& name);

  bool enabled_ = false;
  Fixed default_ = 0;
  std::vector<Axis> axes_;
  std::map<std::string, Fixed> alphas_;  ///< by labels joined with '|'
};

}  // namespace spillway::sim
