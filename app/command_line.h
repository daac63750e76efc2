#pragma once

namespace spillway::app {

/// Parses the command line, runs the command that it names and returns the exit code: 0, 1 for a failure, 2 for a wrong use,
/// which is explained on stderr with the likeliest meaning and the place of help.
int run_command_line(int argc, const char* const* argv);

}  // namespace spillway::app
