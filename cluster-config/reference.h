#pragma once

#include <string>
#include <vector>

namespace spillway::config {

/// One key of the cluster file as the reference shows it.
struct ReferenceRow {
  std::string key;            ///< "models.*.context"
  std::string type;           ///< "count"
  std::string want;           ///< range and unit in words
  std::string default_value;  ///< as TOML or in words; empty for required keys
  bool required = false;
  std::string sentence;
  std::string example;
};
std::vector<ReferenceRow> reference_rows();

/// All keys as Markdown, made from the table that the parser uses.
std::string reference_markdown();

}  // namespace spillway::config
