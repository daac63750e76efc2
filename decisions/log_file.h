#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/result.h"
#include "decisions/recorder.h"

namespace spillway::decisions {

/// A log in a file: one for each life of a node. Records are copied into memory and written by a thread of its own, so nobody who
/// adds one waits for the disk. What is not written within `write_every` of a kill is lost, and nothing before it.
///
/// Nothing that goes wrong with the file stops the node: the log ends, with one warning, when the disk refuses bytes, when more than
/// `pending_max` wait for it, or when a record is beyond record_bytes_max.
class LogFile : public Sink {
 public:
  static constexpr std::chrono::milliseconds write_every{100};
  static constexpr std::size_t write_bytes = 256U << 10;  ///< written before its time when so much waits
  static constexpr std::size_t pending_max = 64U << 20;

  /// Makes the folder where it is missing (for its owner alone) and in it NODE-INCARNATION.slog, which must be new. Errors name the
  /// file and why.
  static core::Result<std::shared_ptr<LogFile>> create(const std::filesystem::path& folder, const LogHead& head);
  /// Writes to `fd`, which it owns from now on; `name` is for warnings.
  LogFile(int fd, std::string name, const LogHead& head);
  ~LogFile() override { close(); }

  void add(core::Bytes record) override;
  /// Writes what waits, and the end; nothing is taken any more. Twice is fine.
  void close();
  const std::string& name() const { return name_; }

 private:
  void run();
  /// Ends the log before its time. Call with the lock held.
  void give_up(const std::string& why);

  const int fd_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  core::ByteVector pending_;
  std::uint64_t records_ = 0;
  bool closing_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace spillway::decisions
