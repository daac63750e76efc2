#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "cluster-config/errors.h"
#include "cluster-config/tree.h"

namespace spillway::config {

/// Collects the errors of one file and knows on which line each key stands, so that checks name keys alone.
class Report {
 public:
  explicit Report(std::string_view file) : file_{file} {}

  /// Notes a key or table that the file holds.
  void place(const std::string& key, const Tree& tree);
  /// Whether the file holds this key.
  bool has(const std::string& key) const { return places_.count(key) > 0; }
  /// Adds an error at the key, or at the nearest table around it (or line 1) when the file does not hold it. Line and value are
  /// looked up.
  void add(ErrorKind kind, const std::string& key, std::string want, std::string fix);
  /// The same for a value inside the key: an element of a list.
  void add_at(ErrorKind kind, const std::string& key, const Tree& element, std::string want, std::string fix);

  bool failed() const { return !errors_.empty(); }
  /// Whether there is an error at this table or in it: what it lacks then is no further mistake.
  bool failed_in(std::string_view table) const;
  /// The errors in order of their lines; cut at errors_max with a last error that says so.
  ConfigErrors take();

 private:
  struct Place {
    std::uint32_t line = 0;
    std::string value;
  };
  void push(ConfigError error);

  std::string file_;
  std::map<std::string, Place> places_;
  ConfigErrors errors_;
  std::size_t left_out_ = 0;
};

}  // namespace spillway::config
