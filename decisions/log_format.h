#pragma once

#include <cstdint>
#include <istream>
#include <string>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"

/// The bytes of a decision log: a head, then records, each with its length and checksums, the last one an end. What is behind a
/// kill or a full disk is missing and nothing else: a log is a prefix of what was to be written.
///
///   head    magic (8), version (u32), size of the body (u32), body (packed LogHead), checksum64 of all before (u64)
///   record  size (u32), check of size and number (u32), checksum64 of the bytes seeded by the number (u64), bytes
///
/// Words are little-endian. The number counts the records from 0, so that a record that was repeated, left out or moved is seen.
namespace spillway::decisions {

inline constexpr std::uint32_t log_version = 2;
/// A record is refused beyond this, when written and when read.
inline constexpr std::size_t record_bytes_max = 64U << 20;

struct LogHead {
  std::string build;        ///< of the program that wrote it; first in the body of every version, so that it can be named
  std::uint64_t shape = 0;  ///< schema_shape() of that program
  std::string node;
  core::NodeId node_id;
  core::Incarnation incarnation;
  bool answers = false;  ///< the answers themselves are there beside their digests

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("build", s.build), v("shape", s.shape), v("node", s.node), v("node_id", s.node_id), v("incarnation", s.incarnation);
    v("answers", s.answers);
  }
};

/// Digest of the names, arguments and answers of all calls, field by field: another one means that the bytes of records mean
/// something else, even when nobody thought of raising log_version.
std::uint64_t schema_shape();

void append_head(core::ByteVector& out, const LogHead& head, std::uint32_t version = log_version);
/// `number` counts from 0.
void append_record(core::ByteVector& out, std::uint64_t number, core::Bytes record);

/// First byte of each record.
enum class RecordKind : std::uint8_t { start = 0, call = 1, end = 2 };

/// Reads a log from its beginning. Every error names the file and the offset of what is wrong.
class LogReader {
 public:
  /// `in` outlives this; `file` is for errors.
  LogReader(std::istream& in, std::string file) : in_(in), file_(std::move(file)) {}

  /// Errors: bad_file when it is no decision log or its head is damaged, incompatible when another version or build wrote it.
  core::Result<LogHead> open();

  enum class Next : std::uint8_t { record, end, cut };
  /// The next record, into `record()`. end: the log is complete. cut: it ends here, or in the middle of a record: the process was
  /// killed, or the disk was full. Errors: bad_file for bytes that are not what was written.
  core::Result<Next> next();

  core::Bytes record() const { return bytes_; }
  std::uint64_t offset() const { return offset_; }  ///< of the record's first byte in the file, its length included
  /// "FILE, byte 1234: what"
  core::Error error(const std::string& what, core::Errc code = core::Errc::bad_file) const;

 private:
  /// As many of `size` bytes as there are.
  std::size_t read(std::byte* to, std::size_t size);

  std::istream& in_;
  std::string file_;
  core::ByteVector bytes_;
  std::uint64_t offset_ = 0;  // of the record
  std::uint64_t at_ = 0;      // of the next byte
  std::uint64_t number_ = 0;
};

}  // namespace spillway::decisions
