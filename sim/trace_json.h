#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::sim {

/// A value of one row as the file has it.
struct TraceCell {
  enum class Kind : std::uint8_t {
    absent,  ///< no such column in the row, JSON null, or an empty cell
    bare,    ///< a number or word without quotes; every cell of a CSV file
    quoted,  ///< a JSON string
    list,    ///< a JSON list of whole numbers
    other,   ///< a JSON object, or a list of something else
  };
  Kind kind = Kind::absent;
  std::string text;                  ///< of bare and quoted
  std::vector<std::uint64_t> items;  ///< of list
};

/// Reads objects of JSON, one a line, into cells by name. Keys that nobody asked for are skipped, whatever they hold.
class JsonRowParser {
 public:
  explicit JsonRowParser(std::vector<std::string> names);
  ~JsonRowParser();
  JsonRowParser(const JsonRowParser&) = delete;
  JsonRowParser& operator=(const JsonRowParser&) = delete;

  /// Fills `cells`, one for each name. Returns what is wrong with the line, empty when nothing is.
  std::string parse(std::string_view line, std::vector<TraceCell>& cells);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sim
