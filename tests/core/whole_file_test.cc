#include "core/whole_file.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

using namespace spillway::core;

namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "spillway-whole.XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string text(const char* name) const {
    std::ifstream in(path / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(whole_file)

BOOST_AUTO_TEST_CASE(a_file_takes_the_place_of_an_older_one) {
  const Folder folder;
  for (const char* bytes : {"longer than the next", "short\r\n"}) {
    BOOST_TEST(write_whole(folder.path / "a", [&](std::ostream& out) { out << bytes; }).has_value());
    BOOST_TEST(folder.text("a") == bytes);
  }
  BOOST_TEST(folder.entries() == 1U);
}

BOOST_AUTO_TEST_CASE(what_fails_in_the_middle_leaves_the_older_file) {
  const Folder folder;
  BOOST_TEST(write_whole(folder.path / "a", [](std::ostream& out) { out << "old"; }).has_value());
  const auto failed = write_whole(folder.path / "a", [](std::ostream& out) {
    out << "half of the";
    out.setstate(std::ios::badbit);  // as a full disk does
  });
  BOOST_REQUIRE(!failed.has_value());
  BOOST_TEST((failed.error().code == Errc::io));
  BOOST_TEST(failed.error().message.find((folder.path / "a").string()) == 0U);
  BOOST_TEST(folder.text("a") == "old");
  BOOST_TEST(folder.entries() == 1U);
}

BOOST_AUTO_TEST_CASE(a_disk_that_is_full_is_told) {
  if (!std::filesystem::exists("/dev/full")) BOOST_FAIL("no /dev/full on this system");
  const Folder folder;
  std::filesystem::create_symlink("/dev/full", folder.path / "a.part");
  const auto failed = write_whole(folder.path / "a", [](std::ostream& out) { out << "bytes"; });
  BOOST_REQUIRE(!failed.has_value());
  BOOST_TEST(failed.error().message.find("space on the disk") != std::string::npos);
  BOOST_TEST(folder.entries() == 0U);
}

BOOST_AUTO_TEST_CASE(a_folder_is_made_with_its_files) {
  const Folder folder;
  const std::vector<std::pair<std::string, std::string>> files{{"a.csv", "1"}, {"b.html", "2"}};
  BOOST_TEST(write_whole_files(folder.path / "new" / "one", files).has_value());
  BOOST_TEST(folder.text("new/one/a.csv") == "1");
  BOOST_TEST(folder.text("new/one/b.html") == "2");
  BOOST_TEST(write_whole(folder.path / "plain", [](std::ostream& out) { out << "file"; }).has_value());
  const auto failed = write_whole_files(folder.path / "plain", files);
  BOOST_REQUIRE(!failed.has_value());
  BOOST_TEST(failed.error().message.find((folder.path / "plain").string()) == 0U);
  BOOST_TEST(!write_whole(folder.path / "none" / "a", [](std::ostream&) {}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
