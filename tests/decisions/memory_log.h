#pragma once

#include <boost/test/unit_test.hpp>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "decisions/recorder.h"
#include "decisions/replay.h"

/// Logs in memory, and logs that say something else than what happened.
namespace spillway::decisions::test {

inline LogHead head_of_tests(bool answers = false) {
  return {"a test", schema_shape(), "red", core::node_id("red"), {7}, answers};
}

class MemoryLog : public Sink {
 public:
  explicit MemoryLog(const LogHead& head) : Sink(head.answers) { append_head(bytes_, head); }
  void add(core::Bytes record) override { append_record(bytes_, count_++, record); }
  /// Adds the end; call once.
  const core::ByteVector& finish() {
    add(packed(RecordKind::end));
    return bytes_;
  }
  const core::ByteVector& bytes() const { return bytes_; }

 private:
  core::ByteVector bytes_;
  std::uint64_t count_ = 0;
};

inline core::Result<Replayed> replay_bytes(const core::ByteVector& log, const Watch& watch = {}) {
  std::istringstream in(std::string(core::as_text(log)));
  return replay(in, "red.slog", watch);
}

/// A whole log taken apart: its records can be changed and put together again with checksums that fit.
struct OpenLog {
  LogHead head;
  std::vector<core::ByteVector> records;  ///< without the end

  explicit OpenLog(const core::ByteVector& log) {
    std::istringstream in(std::string(core::as_text(log)));
    LogReader reader(in, "red.slog");
    head = reader.open().value();
    while (reader.next().value() == LogReader::Next::record) records.emplace_back(reader.record().begin(), reader.record().end());
  }
  core::ByteVector closed() const {
    core::ByteVector bytes;
    append_head(bytes, head);
    std::uint64_t number = 0;
    for (const auto& record : records) append_record(bytes, number++, record);
    append_record(bytes, number, packed(RecordKind::end));
    return bytes;
  }

  /// The record of decision `number`, from 1.
  core::ByteVector& decision(std::uint64_t number) {
    for (auto& record : records) {
      if (record.front() == static_cast<std::byte>(RecordKind::call) && --number == 0) return record;
    }
    BOOST_FAIL("no such decision");
    return records.front();
  }

  /// Calls change(at, arguments, answer) for decision `number`, which must be a Call.
  template <class Call, class Change>
  void change(std::uint64_t number, const Change& change) {
    core::ByteVector& record = decision(number);
    Unpacker in(record);
    const std::uint64_t words[] = {in.number(), in.number(), in.number()};  // kind, core, call
    Instant at{};
    typename SignatureOf<Call>::Arguments arguments;
    AnswerRecord answer;
    in.get(at);
    std::apply([&](auto&... a) { (in.get(a), ...); }, arguments);
    in.get(answer);
    BOOST_REQUIRE_MESSAGE(!in.failed() && in.left() == 0, in.wrong());
    change(at, arguments, answer);
    core::ByteVector made;
    Packer out(made);
    for (const auto word : words) out.number(word);
    out.put(at);
    std::apply([&](auto&... a) { (out.put(a), ...); }, arguments);
    out.put(answer);
    record = made;
  }

  /// Calls change(start) for the first core that starts with a Start.
  template <class Start, class Change>
  void change_start(const Change& change) {
    for (auto& record : records) {
      Unpacker in(record);
      if (in.number() != static_cast<std::uint64_t>(RecordKind::start)) continue;
      const std::uint64_t core = in.number();
      AnyStart any;
      in.get(any);
      auto* start = std::get_if<Start>(&any);
      if (start == nullptr) continue;
      change(*start);
      core::ByteVector made;
      Packer out(made);
      out.put(RecordKind::start);
      out.number(core);
      out.put(any);
      record = made;
      return;
    }
    BOOST_FAIL("no such core");
  }
};

}  // namespace spillway::decisions::test
