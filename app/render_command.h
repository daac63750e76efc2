#pragma once

#include <iosfwd>
#include <string>

namespace spillway::app {

struct RenderCommand {
  std::string model;          ///< path or known name; or
  std::string template_file;  ///< a template's source
  std::string messages;       ///< JSON: an object of template variables, or a list of messages
  std::string now;            ///< ISO time for strftime_now; empty = the clock
};

/// `spillway render`: the text on `out`, nothing behind it. 0; 1 when the template fails or a file cannot be read; 2 for a wrong
/// use. Messages go to `errors`.
int render(const RenderCommand& command, std::ostream& out, std::ostream& errors);

}  // namespace spillway::app
