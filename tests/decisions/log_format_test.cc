#include "decisions/log_format.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "decisions/pack.h"
#include "tests/decisions/memory_log.h"

namespace spillway::decisions::test {

namespace {

/// Everything a log says, or the error.
struct Read {
  std::string error;
  core::Errc code = core::Errc::ok;
  std::vector<core::ByteVector> records;
  bool cut = false;
  std::uint64_t cut_at = 0;
};

Read read(const core::ByteVector& log) {
  Read all;
  std::istringstream in(std::string(core::as_text(log)));
  LogReader reader(in, "red.slog");
  const auto failed = [&](const core::Error& error) {
    all.error = error.message;
    all.code = error.code;
    return all;
  };
  const auto head = reader.open();
  if (!head) return failed(head.error());
  for (;;) {
    const auto next = reader.next();
    if (!next) return failed(next.error());
    if (*next == LogReader::Next::end) return all;
    if (*next == LogReader::Next::cut) {
      all.cut = true;
      all.cut_at = reader.offset();
      return all;
    }
    all.records.emplace_back(reader.record().begin(), reader.record().end());
  }
}

/// Three records of different sizes, and the end. `borders` gets the offset behind the head and behind each record.
core::ByteVector small_log(std::vector<std::size_t>* borders = nullptr) {
  core::ByteVector log;
  append_head(log, head_of_tests());
  if (borders != nullptr) borders->push_back(log.size());
  for (std::uint64_t number = 0; number < 3; ++number) {
    append_record(log, number, core::ByteVector(1 + 40 * number, std::byte{1}));
    if (borders != nullptr) borders->push_back(log.size());
  }
  append_record(log, 3, packed(RecordKind::end));
  return log;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(log_format)

BOOST_AUTO_TEST_CASE(a_whole_log_is_read_to_its_end) {
  const Read all = read(small_log());
  BOOST_TEST(all.error == "");
  BOOST_TEST(!all.cut);
  BOOST_REQUIRE(all.records.size() == 3U);
  BOOST_TEST(all.records[2].size() == 81U);
}

BOOST_AUTO_TEST_CASE(a_log_cut_anywhere_is_read_up_to_its_last_whole_record) {
  std::vector<std::size_t> borders;
  const core::ByteVector log = small_log(&borders);
  for (std::size_t size = 0; size < log.size(); ++size) {
    const Read part = read(core::ByteVector(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(size)));
    if (size < borders[0]) {
      BOOST_TEST(part.error.starts_with("red.slog, byte 0: "));
      continue;
    }
    std::size_t whole = 0;
    while (whole < 3 && borders[whole + 1] <= size) ++whole;
    BOOST_TEST(part.error == "");
    BOOST_TEST(part.cut);
    BOOST_TEST(part.records.size() == whole);
    BOOST_TEST(part.cut_at == borders[whole]);
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_anywhere_is_refused) {
  const core::ByteVector log = small_log();
  for (std::size_t at = 0; at < log.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      core::ByteVector other = log;
      other[at] ^= static_cast<std::byte>(1 << bit);
      const Read all = read(other);
      BOOST_TEST(all.error.starts_with("red.slog, byte "), "byte " << at << ", bit " << bit);
    }
  }
}

BOOST_AUTO_TEST_CASE(another_version_is_refused_by_name) {
  core::ByteVector log;
  append_head(log, head_of_tests(), log_version + 1);
  const Read all = read(log);
  BOOST_TEST((all.code == core::Errc::incompatible));
  BOOST_TEST(all.error.find("version " + std::to_string(log_version + 1)) != std::string::npos);
  BOOST_TEST(all.error.find("build a test") != std::string::npos);
  BOOST_TEST(all.error.find("reads version " + std::to_string(log_version)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(events_of_another_shape_are_refused_by_the_name_of_their_build) {
  core::ByteVector log;
  LogHead head = head_of_tests();
  ++head.shape;
  append_head(log, head);
  const Read all = read(log);
  BOOST_TEST((all.code == core::Errc::incompatible));
  BOOST_TEST(all.error.find("build a test") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(records_that_are_left_out_repeated_or_in_another_order_are_refused) {
  const core::ByteVector record(5, std::byte{1});
  for (const std::vector<std::uint64_t>& numbers : {std::vector<std::uint64_t>{0, 2}, {0, 0}, {1, 0}, {1}}) {
    core::ByteVector log;
    append_head(log, head_of_tests());
    for (const auto number : numbers) append_record(log, number, record);
    BOOST_TEST(read(log).error.find("no record begins here") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(bytes_behind_the_end_and_files_of_another_kind_are_refused) {
  core::ByteVector log = small_log();
  log.push_back(std::byte{0});
  BOOST_TEST(read(log).error.find("behind its end") != std::string::npos);
  const auto text = core::as_bytes("version = 1\n[cluster]\n");
  BOOST_TEST(read({text.begin(), text.end()}).error.find("no decision log") != std::string::npos);
  BOOST_TEST(read({}).error.find("no decision log") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::decisions::test
