#include "tests/app/run_command.h"

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "app/command_line.h"

namespace spillway::app {

Outcome run_command(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"spillway"};
  for (const auto& word : words) argv.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream errors;
  auto* old_out = std::cout.rdbuf(out.rdbuf());
  auto* old_errors = std::cerr.rdbuf(errors.rdbuf());
  const int status = run_command_line(static_cast<int>(argv.size()), argv.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_errors);
  return {status, out.str(), errors.str()};
}

TestFolder::TestFolder() {
  char name[] = "/tmp/spillway-app-XXXXXX";
  path_ = ::mkdtemp(name);
}

TestFolder::~TestFolder() {
  std::filesystem::remove_all(path_);
}

}  // namespace spillway::app
