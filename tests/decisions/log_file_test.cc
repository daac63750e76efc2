#include "decisions/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/decisions/memory_log.h"

namespace spillway::decisions::test {

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "spillway-decisions-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) BOOST_FAIL("mkdtemp failed");
    path = pattern;
  }
  ~Folder() { fs::remove_all(path); }
};

std::uint64_t records_in(const fs::path& file, LogReader::Next& end) {
  std::ifstream in(file, std::ios::binary);
  LogReader reader(in, file.string());
  BOOST_REQUIRE(reader.open());
  std::uint64_t count = 0;
  while ((end = reader.next().value()) == LogReader::Next::record) ++count;
  return count;
}

const core::ByteVector record(100, std::byte{1});

}  // namespace

BOOST_AUTO_TEST_SUITE(log_file)

BOOST_AUTO_TEST_CASE(what_was_added_is_in_the_file_with_an_end_and_for_its_owner_alone) {
  const Folder folder;
  const auto log = LogFile::create(folder.path / "new" / "logs", head_of_tests());
  BOOST_REQUIRE(log);
  BOOST_TEST((*log)->name() == (folder.path / "new" / "logs" / "red-0000000000000007.slog").string());
  std::vector<std::thread> cores;
  for (int i = 0; i < 4; ++i) {
    cores.emplace_back([&log] {
      for (int k = 0; k < 5000; ++k) (*log)->add(record);
    });
  }
  for (auto& core : cores) core.join();
  (*log)->close();
  (*log)->add(record);  // too late, and no harm
  (*log)->close();
  LogReader::Next end{};
  BOOST_TEST(records_in((*log)->name(), end) == 20000U);
  BOOST_TEST((end == LogReader::Next::end));
  struct stat about {};
  BOOST_REQUIRE(::stat((*log)->name().c_str(), &about) == 0);
  BOOST_TEST((about.st_mode & 0777) == 0600U);
}

BOOST_AUTO_TEST_CASE(a_full_disk_ends_the_log_and_nothing_else) {
  LogFile log(::open("/dev/full", O_WRONLY), "/dev/full", head_of_tests());
  for (int i = 0; i < 2000 && log.open(); ++i) {
    log.add(record);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  BOOST_TEST(!log.open());
  log.add(record);
  log.close();
}

BOOST_AUTO_TEST_CASE(a_record_that_is_too_large_ends_the_log_behind_those_before_it) {
  const Folder folder;
  const auto log = LogFile::create(folder.path, head_of_tests());
  BOOST_REQUIRE(log);
  (*log)->add(record);
  (*log)->add(core::ByteVector(record_bytes_max + 1));
  BOOST_TEST(!(*log)->open());
  (*log)->add(record);
  (*log)->close();
  LogReader::Next end{};
  BOOST_TEST(records_in((*log)->name(), end) == 1U);
  BOOST_TEST((end == LogReader::Next::cut));
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_and_a_file_that_is_there_are_refused_by_name) {
  const Folder folder;
  std::ofstream(folder.path / "file") << "x";
  const auto no_folder = LogFile::create(folder.path / "file" / "below", head_of_tests());
  BOOST_REQUIRE(!no_folder);
  BOOST_TEST(no_folder.error().message.find((folder.path / "file" / "below").string()) != std::string::npos);
  const auto first = LogFile::create(folder.path, head_of_tests());
  BOOST_REQUIRE(first);
  const auto second = LogFile::create(folder.path, head_of_tests());
  BOOST_REQUIRE(!second);
  BOOST_TEST(second.error().message.find("red-0000000000000007.slog") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions::test
