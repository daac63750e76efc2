#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "cluster-config/errors.h"

namespace spillway::config {

/// A cluster file that breaks one rule, and the one error that it must give.
struct ErrorCase {
  std::string rule;
  std::string text;
  ErrorKind kind = ErrorKind::syntax;
  std::string key;
  std::uint32_t line = 0;
  std::string part;  ///< stands somewhere in the error's message
};
std::ostream& operator<<(std::ostream& out, const ErrorCase& value);

/// A good file of four lines: one model "m", one node "a" on loopback; `more` begins on line 5.
std::string small_cluster(const std::string& more = {});
/// A good CURVE public key, another for each number.
std::string some_key(unsigned number);
/// Two machines with keys and secret, 11 lines.
std::string remote_cluster(const std::string& more = {});

/// Each rule that a text alone can break.
std::vector<ErrorCase> error_cases();

}  // namespace spillway::config
