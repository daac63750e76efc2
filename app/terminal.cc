#include "app/terminal.h"

#include <unistd.h>

#include <cstdlib>

namespace spillway::app {

bool colours_on(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  return ::isatty(fd) == 1 && terminal != nullptr && std::string_view{terminal} != "dumb";
}

std::string coloured(int fd, Colour colour, std::string_view text) {
  if (!colours_on(fd)) return std::string{text};
  const std::string_view code = colour == Colour::red ? "\033[31m" : colour == Colour::green ? "\033[32m" : "\033[33m";
  return std::string{code} + std::string{text} + "\033[0m";
}

}  // namespace spillway::app
