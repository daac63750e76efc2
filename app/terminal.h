#pragma once

#include <string>
#include <string_view>

namespace spillway::app {

enum class Colour { red, green, yellow };

/// Whether escape sequences may go to this file descriptor: it is a terminal, NO_COLOR is unset or empty, TERM is not dumb.
bool colours_on(int fd);
/// `text` in the colour when colours_on(fd), else as it is.
std::string coloured(int fd, Colour colour, std::string_view text);

}  // namespace spillway::app
