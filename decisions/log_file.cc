#include "decisions/log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/log.h"

namespace spillway::decisions {

namespace {

/// A name of the cluster file as part of a file's name.
std::string file_name(const LogHead& head) {
  std::string name;
  for (const char c : head.node) name.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ? c : '_');
  const std::string hex = core::to_hex(core::U128{0, head.incarnation.value});
  return name + "-" + hex.substr(hex.size() / 2) + ".slog";
}

/// Errno, or 0.
int write_all(int fd, core::Bytes bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

core::Result<std::shared_ptr<LogFile>> LogFile::create(const std::filesystem::path& folder, const LogHead& head) {
  std::error_code failed;
  const bool made = std::filesystem::create_directories(folder, failed);
  if (failed) return core::fail(core::Errc::io, "decision log: cannot make the folder " + folder.string() + ": " + failed.message());
  if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  const std::string path = (folder / file_name(head)).string();
  constexpr int owner_only = 0600;  // prompts, answers and the secrets of tenants are in it
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, owner_only);
  if (fd < 0) return core::fail(core::Errc::io, "decision log: cannot write " + path + ": " + std::strerror(errno));
  return std::make_shared<LogFile>(fd, path, head);
}

LogFile::LogFile(int fd, std::string name, const LogHead& head) : Sink(head.answers), fd_(fd), name_(std::move(name)) {
  append_head(pending_, head);
  thread_ = std::thread([this] { run(); });
}

void LogFile::add(core::Bytes record) {
  const std::lock_guard lock(mutex_);
  if (!open()) return;
  if (record.size() > record_bytes_max) return give_up("a record of " + std::to_string(record.size()) + " bytes is too large for it");
  append_record(pending_, records_++, record);
  if (pending_.size() > pending_max) return give_up("the disk does not keep up: " + std::to_string(pending_max >> 20) + " MiB wait for it");
  if (pending_.size() >= write_bytes) wake_.notify_one();
}

void LogFile::give_up(const std::string& why) {
  open_.store(false, std::memory_order_relaxed);
  core::log_warn("the decision log " + name_ + " ends here: " + why + "; the node goes on without it");
}

void LogFile::run() {
  core::ByteVector writing;
  for (bool last = false; !last;) {
    writing.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, write_every, [this] { return closing_ || pending_.size() >= write_bytes; });
      last = closing_;
      writing.swap(pending_);
    }
    const int failed = write_all(fd_, writing);
    if (failed == 0) continue;
    const std::lock_guard lock(mutex_);
    if (open()) give_up(std::strerror(failed));
    return pending_.clear();
  }
}

void LogFile::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
    if (open()) append_record(pending_, records_++, packed(RecordKind::end));
    open_.store(false, std::memory_order_relaxed);
    wake_.notify_one();
  }
  thread_.join();
  ::close(fd_);
}

}  // namespace spillway::decisions
