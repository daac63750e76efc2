#include "app/progress_line.h"

#include <unistd.h>

#include <iostream>

namespace spillway::app {

std::string progress_text(std::size_t done, std::size_t all, const std::string& what, double seconds_gone) {
  const double left = seconds_gone * static_cast<double>(all - done) / static_cast<double>(done);
  return std::to_string(done) + " of " + std::to_string(all) + " " + what + ", about " + std::to_string(static_cast<long>(left)) +
         " s to go";
}

ProgressLine::ProgressLine(std::string what) : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
}

void ProgressLine::show(std::size_t done, std::size_t all) const {
  if (!terminal_) return;
  const double gone = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  std::cerr << '\r' << progress_text(done, all, what_, gone) << " \x1b[K" << std::flush;
}

}  // namespace spillway::app
