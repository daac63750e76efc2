// `models pull` and `models list` as a user has them, with a cache and a pip of the test's own.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/app/run_command.h"

namespace bdata = boost::unit_test::data;
namespace fs = std::filesystem;

namespace spillway::app {

namespace {

/// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name); old != nullptr) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

struct Cache {
  TestFolder folder;
  Variable cache{"XDG_CACHE_HOME", folder.file("cache")};
  fs::path models = folder.file("cache/spillway/models");

  fs::path damaged_model() const {
    fs::create_directories(models / "smollm2-135m");
    auto file = models / "smollm2-135m" / "SmolLM2-135M-Instruct.Q4_1.gguf";
    std::ofstream(file) << "damaged";
    return file;
  }
  /// Entries of the model's folder but for the lock.
  int left() const {
    int count = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(models / "smollm2-135m", error)) count += entry.path().filename() == ".lock" ? 0 : 1;
    return count;
  }
};

/// Until `done` says so; false after half a minute.
template <class Done>
bool eventually(const Done& done) {
  for (int i = 0; i < 3000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(interruptible)

BOOST_DATA_TEST_CASE(an_interrupted_pull_leaves_nothing, bdata::make({SIGINT, SIGTERM}), signal) {
  const Cache cache;
  // A pip that begins a file in --dest and never ends; its id tells when that was.
  fs::create_directories(cache.folder.file("bin"));
  const auto started = cache.folder.file("started");
  std::ofstream(cache.folder.file("bin/python3")) << "#!/bin/sh\n"
                                                     "case \"$*\" in *--version*) exit 0 ;; esac\n"
                                                     "while [ \"$1\" != --dest ]; do shift; done\n"
                                                     "echo half > \"$2/half.whl\"\n"
                                                     "echo $$ > " +
                                                         started + ".new && mv " + started + ".new " + started +
                                                         "\n"
                                                         "exec sleep 1000\n";
  fs::permissions(cache.folder.file("bin/python3"), fs::perms::owner_all);
  const Variable path("PATH", cache.folder.file("bin") + ":" + std::getenv("PATH"));
  const pid_t pid = ::fork();
  if (pid == 0) {
    // Boost's own handlers are not those of a program.
    for (const int each : {SIGINT, SIGTERM, SIGCHLD}) ::signal(each, SIG_DFL);
    ::_exit(run_command({"models", "pull", "smollm2-135m"}).status);
  }
  BOOST_REQUIRE(eventually([&] { return fs::exists(started); }));
  BOOST_TEST(cache.left() == 1);
  pid_t pip = 0;
  std::ifstream(started) >> pip;
  ::kill(pid, signal);
  int status = 0;
  BOOST_REQUIRE(eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }));
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 128 + signal);
  BOOST_TEST(cache.left() == 0);
  // Gone, or at least dead: in a container nobody may have taken its end.
  BOOST_TEST(eventually([&] {
    std::ifstream in("/proc/" + std::to_string(pip) + "/stat");
    std::string id, name, state;
    return !(in >> id >> name >> state) || state == "Z";
  }));
}

BOOST_AUTO_TEST_CASE(a_pull_that_fails_says_so_with_its_own_code) {
  const Cache cache;
  fs::create_directories(cache.folder.file("bin"));
  std::ofstream(cache.folder.file("bin/python3")) << "#!/bin/sh\ncase \"$*\" in *--version*) exit 0 ;; esac\nexit 3\n";
  fs::permissions(cache.folder.file("bin/python3"), fs::perms::owner_all);
  const Variable path("PATH", cache.folder.file("bin") + ":" + std::getenv("PATH"));
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(run_command({"models", "pull", "smollm2-135m"}).status);
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  BOOST_TEST(WEXITSTATUS(status) == 1);
  BOOST_TEST(cache.left() == 0);
}

BOOST_AUTO_TEST_CASE(a_damaged_model_is_told_on_stderr) {
  const Cache cache;
  const auto file = cache.damaged_model();
  for (const bool json : {false, true}) {
    const auto done = json ? run_command({"models", "list", "--json"}) : run_command({"models", "list"});
    BOOST_TEST(done.status == 0);
    BOOST_TEST(done.errors.find(file.string() + " is damaged: its SHA-256 is ") != std::string::npos, done.errors);
    BOOST_TEST(done.errors.find("want b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53; run `spillway models pull "
                                "smollm2-135m`") != std::string::npos,
               done.errors);
    if (!json) continue;
    const auto list = boost::json::parse(done.out).as_array();
    BOOST_REQUIRE(list.size() == 1U);
    BOOST_TEST(list[0].as_object().size() == 3U);
  }
  // A file of the user's own beside a known name is nobody's business.
  fs::rename(file, file.parent_path() / "mine.gguf");
  BOOST_TEST(run_command({"models", "list"}).errors == "");
}

BOOST_AUTO_TEST_CASE(a_relative_cache_folder_is_ignored) {
  const Cache cache;
  const auto file = cache.damaged_model();
  const Variable home("HOME", cache.folder.file("home"));
  fs::create_directories(cache.folder.file("home/.cache"));
  fs::rename(cache.folder.file("cache/spillway"), cache.folder.file("home/.cache/spillway"));
  const auto before = fs::current_path();
  fs::create_directories(cache.folder.file("cache/spillway/models/wrong"));
  std::ofstream(cache.folder.file("cache/spillway/models/wrong/wrong.gguf")) << "x";
  fs::current_path(cache.folder.file(""));
  const Variable relative("XDG_CACHE_HOME", "cache");
  const auto done = run_command({"models", "list"});
  fs::current_path(before);
  BOOST_TEST(done.out.find("/home/.cache/spillway/models/smollm2-135m/") != std::string::npos, done.out);
  BOOST_TEST(done.out.find("wrong") == std::string::npos, done.out);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
