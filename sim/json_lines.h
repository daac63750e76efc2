#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace spillway::sim {

/// What is read of each line; other keys are ignored.
struct JsonFields {
  std::vector<std::string_view> numbers;  ///< must be there
  std::vector<std::string_view> texts;    ///< may be missing: empty
  std::vector<std::string_view> lists;    ///< of whole numbers from 0; may be missing: empty
};

/// One JSON object a line.
struct JsonLines {
  struct Row {
    std::uint32_t line = 0;
    std::vector<double> numbers;  ///< in the order of the fields, as are the others
    std::vector<std::string> texts;
    std::vector<std::vector<std::uint64_t>> lists;
  };
  std::string path;
  JsonFields fields;
  std::vector<Row> rows;

  /// The number as a whole one in [low, high].
  core::Result<std::int64_t> whole(const Row& row, std::size_t field, std::int64_t low, std::int64_t high) const;
};

/// Empty lines are skipped.
/// Errors  no such file, no line, a line that is no JSON object, a key missing or of another type: file:line.
core::Result<JsonLines> read_json_lines(const std::string& path, const JsonFields& fields);

}  // namespace spillway::sim
