#include "tests/sim/test_folder.h"

#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

namespace spillway::sim::test {

TestFolder::TestFolder() {
  char name[] = "/tmp/spillway-sim-XXXXXX";
  path_ = ::mkdtemp(name);
}

TestFolder::~TestFolder() {
  std::filesystem::remove_all(path_);
}

std::string TestFolder::write(const std::string& name, const std::string& text) const {
  std::filesystem::create_directories((path_ / name).parent_path());
  std::ofstream(path_ / name, std::ios::binary) << text;
  return file(name);
}

std::string TestFolder::read(const std::string& name) const {
  std::ifstream in(path_ / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void TestFolder::remove(const std::string& name) const {
  std::filesystem::remove(path_ / name);
}

void TestFolder::replace(const std::string& name, const std::string& from, const std::string& to) const {
  auto text = read(name);
  const auto at = text.find(from);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, name << " holds no \"" << from << "\"");
  write(name, text.replace(at, from.size(), to));
}

}  // namespace spillway::sim::test
