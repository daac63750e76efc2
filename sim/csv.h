#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace spillway::sim {

/// Rows of a CSV file with the columns asked for, found by name; other columns are ignored. Cells are not quoted.
struct CsvTable {
  struct Row {
    std::uint32_t line = 0;
    std::vector<std::string> cells;  ///< in the order asked: first the required columns, then the optional ones
  };
  std::string path;
  std::vector<std::string> columns;  ///< names of the cells
  std::vector<Row> rows;

  /// The cell as a number in [low, high].
  /// Errors  file:line, the column, what stands there, what is wanted.
  core::Result<double> number(const Row& row, std::size_t column, double low, double high) const;
  /// The same for a whole number ("16" or "16.0").
  core::Result<std::int64_t> whole(const Row& row, std::size_t column, std::int64_t low, std::int64_t high) const;
};

/// Columns of `optional` that the file lacks give empty cells.
/// Errors  no such file, no header, a required column missing or named twice, a row with another number of cells, no row.
core::Result<CsvTable> read_csv(const std::string& path, const std::vector<std::string_view>& required,
                                const std::vector<std::string_view>& optional = {});

}  // namespace spillway::sim
