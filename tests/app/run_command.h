#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace spillway::app {

/// What a command line did in this process.
struct Outcome {
  int status = 0;
  std::string out;
  std::string errors;
};

/// Runs `spillway WORDS...` with standard output and error caught.
Outcome run_command(const std::vector<std::string>& words);

/// A folder of its own under /tmp, removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace spillway::app
