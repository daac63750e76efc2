#pragma once

#include <filesystem>
#include <string>

namespace spillway::sim::test {

/// A folder of its own under /tmp, removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path() const { return path_.string(); }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file, its folders too, and returns its path.
  std::string write(const std::string& name, const std::string& text) const;
  std::string read(const std::string& name) const;
  void remove(const std::string& name) const;
  /// `from` must be there; its first place is changed.
  void replace(const std::string& name, const std::string& from, const std::string& to) const;

 private:
  std::filesystem::path path_;
};

}  // namespace spillway::sim::test
