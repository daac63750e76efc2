#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/trace_json.h"

namespace spillway::sim {

/// A column that a reader asks for. Columns are found by name, in any order; those that nobody asks for are skipped.
struct TraceColumn {
  std::string name;
  bool required = true;
};

/// Rows of a CSV file with a header, or of JSON objects, one a line; the first character of the file decides. Lines end in \n
/// or \r\n, empty lines are skipped, quotes in CSV are doubled inside quotes, a unit in a header is not part of the name. Errors stick:
/// once failed() nothing more is read and values are 0 or empty, so that a reader asks once a row. An error names file, line, column, value
/// and wish.
class TraceRows {
 public:
  static constexpr std::size_t line_bytes_max = 64U << 20;

  /// `in` must outlive the rows. `what` is the kind of file in errors, "an Azure 2023 trace". Reads the header.
  TraceRows(std::istream& in, std::string file, std::string what, std::vector<TraceColumn> columns);
  ~TraceRows();
  TraceRows(const TraceRows&) = delete;
  TraceRows& operator=(const TraceRows&) = delete;

  /// Reads the next row; false at the end and after an error.
  bool next();
  bool failed() const { return failed_; }
  const core::Error& error() const { return error_; }
  const std::string& file() const { return file_; }
  std::uint64_t line() const { return line_; }  ///< of the row, from 1

  /// Of the current row, by the index of the column in the constructor's list.
  bool has(std::size_t column) const { return cells_[column].kind != TraceCell::Kind::absent; }
  /// A text or number without spaces around; empty when absent. Control characters are refused.
  std::string text(std::size_t column);
  /// A whole number from `min` to `max`; `min` when absent.
  std::uint64_t whole(std::size_t column, std::uint64_t min, std::uint64_t max, std::string_view unit);
  /// A whole number that may be below 0, such as an id of -1.
  std::int64_t id(std::size_t column);
  /// A decimal times 10^`shift`, from 0 to `max`: seconds and 9 give nanoseconds. 0 when absent.
  std::int64_t decimal(std::size_t column, int shift, std::int64_t max, std::string_view unit);
  /// A number from `min` to `max`; `min` when absent.
  double real(std::size_t column, double min, double max, std::string_view unit);
  /// A list of whole numbers: JSON, or in a CSV cell with spaces or commas between, in brackets or not. Valid until next().
  std::span<const std::uint64_t> list(std::size_t column);

  /// Reports the value of a column, once: "FILE:LINE: NAME = VALUE: WANT".
  void wrong(std::size_t column, const std::string& want);
  /// Reports the row: "FILE:LINE: WHAT".
  void wrong_row(const std::string& what);

 private:
  bool read_line(std::string& line);
  void read_header(const std::string& line);
  void read_csv(const std::string& line);
  void check_required();
  void fail(const std::string& what);

  std::istream& in_;
  std::string file_;
  std::string what_;
  std::vector<TraceColumn> columns_;
  std::vector<TraceCell> cells_;
  std::unique_ptr<JsonRowParser> json_;  ///< null = CSV
  std::vector<std::size_t> column_at_;   ///< CSV: our column at each place of the file; columns_.size() = none
  std::string first_line_;               ///< JSON: the line that told so
  std::uint64_t line_ = 0;
  bool pending_ = false;  ///< first_line_ is still to be parsed
  bool failed_ = false;
  core::Error error_;
};

/// Calls `each` for every row of a file, at `rows`; returns how many there were. What `each` reports ends the reading.
/// Errors  the file cannot be opened, holds no row, or TraceRows' own.
core::Result<std::uint64_t> for_each_row(const std::string& path, const std::string& what, std::vector<TraceColumn> columns,
                                         const std::function<void(TraceRows&)>& each);

/// The fields of one line of CSV. False when a quote is not closed or text follows one.
bool split_csv(std::string_view line, std::vector<std::string>& fields);

}  // namespace spillway::sim
