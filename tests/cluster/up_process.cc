#include "tests/cluster/up_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "model/store.h"

namespace spillway::tests {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string spillway_binary() {
  return SPILLWAY_BINARY;
}

std::string default_model() {
  const auto path = model::resolve_model("smollm2-135m");
  if (!path) BOOST_FAIL("the default model is missing: run `spillway models pull smollm2-135m` (" << path.error().message << ")");
  return *path;
}

bool long_tests() {
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string(value) == "1";
}

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "spillway-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) BOOST_FAIL("mkdtemp failed");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

namespace {

bool port_free(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

/// In the child. Standard output and error go to the descriptors given.
[[noreturn]] void exec_child(const std::vector<std::string>& arguments, int out, int err, pid_t parent) {
  die_with_parent(parent, SIGTERM);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The names behind "without" in what `up` says when it is ready.
std::vector<std::string> left_out(const std::string& said) {
  static const std::string word = ", without ";
  std::vector<std::string> names;
  for (auto at = said.find(word); at != std::string::npos; at = said.find(word, at)) {
    at += word.size();
    names.push_back(said.substr(at, said.find_first_of(",\n", at) - at));
  }
  return names;
}

}  // namespace

void die_with_parent(pid_t parent, int signal) {
  ::prctl(PR_SET_PDEATHSIG, signal);
  if (::getppid() != parent) ::_exit(127);  // it was gone before
}

int free_ports(int count) {
  // Below the range that the system hands out by itself, and apart for tests that run at once.
  int base = 12000 + (::getpid() * 37) % 15000 / 10 * 10;
  for (int attempt = 0; attempt < 2000; ++attempt, base += 10) {
    if (base + 10 * count > 32000) base = 12000;
    bool free = true;
    for (int node = 0; node < count && free; ++node) {
      for (int port = 0; port < 4 && free; ++port) free = port_free(base + 10 * node + port);
    }
    if (free) return base;
  }
  BOOST_FAIL("no free ports between 12000 and 32000");
  return 0;
}

Ran run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) {
  const TempFolder folder;
  const auto out_path = folder / "out";
  const auto err_path = folder / "err";
  const int out = ::open(out_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const int err = ::open(err_path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) exec_child(arguments, out, err, parent);
  ::close(out);
  ::close(err);
  Ran ran;
  const auto until = Clock::now() + limit;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::now() > until) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ran.out = read_file(out_path);
  ran.err = read_file(err_path);
  return ran;
}

UpProcess::UpProcess(const std::string& toml, std::vector<std::string> names, int first_port, const std::vector<std::string>& flags)
    : names_(std::move(names)), first_port_(first_port) {
  config_ = (folder_ / "cluster.toml").string();
  std::ofstream(config_) << toml;
  const int out = ::open((folder_ / "out").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int err = ::open((folder_ / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    std::vector<std::string> words{spillway_binary(), "up", config_};
    words.insert(words.end(), flags.begin(), flags.end());
    exec_child(words, out, err, parent);
  }
  ::close(out);
  ::close(err);
}

UpProcess::~UpProcess() {
  stop();
}

bool UpProcess::knows_all(std::size_t at, const std::vector<std::string>& wanted) const {
  sdk::ClientOptions options;
  options.endpoints = {endpoints(at).front()};
  auto client = sdk::Client::connect(options);
  if (!client) return false;
  const auto status = client->status();
  if (!status) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& name) {
    return std::any_of(status->nodes.begin(), status->nodes.end(),
                       [&](const sdk::NodeInfo& node) { return node.name == name && node.state == "up" && node.kv_blocks_total > 0; });
  });
}

bool UpProcess::wait_ready(std::chrono::milliseconds limit) {
  std::size_t router = 0;  // those before it know all
  std::vector<std::string> wanted;
  for (const auto until = Clock::now() + limit; Clock::now() < until;) {
    const std::string said = read_file(folder_ / "out");
    if (wanted.empty() && said.find("ready") != std::string::npos && said.back() == '\n') {
      const auto without = left_out(said);
      std::copy_if(names_.begin(), names_.end(), std::back_inserter(wanted),
                   [&](const std::string& name) { return std::find(without.begin(), without.end(), name) == without.end(); });
      if (wanted.empty()) break;
    }
    const auto skipped = [&] { return std::find(wanted.begin(), wanted.end(), names_[router]) == wanted.end(); };
    while (!wanted.empty() && router < names_.size() && (skipped() || knows_all(router, wanted))) ++router;
    if (router == names_.size()) return true;
    int status = 0;
    if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  BOOST_TEST_MESSAGE("not ready; log:\n" << log());
  return false;
}

std::optional<std::chrono::milliseconds> UpProcess::stop(std::chrono::milliseconds limit) {
  if (pid_ == 0) return std::chrono::milliseconds(0);
  const auto begin = Clock::now();
  ::kill(pid_, SIGTERM);
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() - begin > limit) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      pid_ = 0;
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  pid_ = 0;
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
}

std::string UpProcess::log() const {
  return read_file(folder_ / "log");
}

std::vector<sdk::Endpoint> UpProcess::endpoints(std::size_t first) const {
  std::vector<sdk::Endpoint> endpoints;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::size_t node = (first + i) % names_.size();
    endpoints.push_back({"127.0.0.1:" + std::to_string(first_port_ + 10 * static_cast<int>(node) + 3), ""});
  }
  return endpoints;
}

sdk::Client UpProcess::client(std::size_t first) const {
  sdk::ClientOptions options;
  options.endpoints = endpoints(first);
  auto client = sdk::Client::connect(options);
  if (!client) BOOST_FAIL("cannot connect: " << client.error().message << "\n" << log());
  return std::move(*client);
}

std::map<std::string, pid_t> UpProcess::nodes() const {
  std::map<std::string, pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string command = read_file(entry.path() / "cmdline");
    if (command.find(config_) == std::string::npos) continue;
    const auto at = command.find(std::string("--name") + '\0');
    if (at == std::string::npos) continue;
    found[std::string(command.c_str() + at + 7)] = std::stoi(pid);
  }
  return found;
}

std::string cluster_toml(const std::vector<std::string>& names, int first_port, const std::string& model, const std::string& model_lines,
                         const std::string& node_lines, const std::string& tail) {
  std::ostringstream out;
  out << "version = 1\n[cluster]\nname = \"test\"\n[models." << model << "]\n" << model_lines << "\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    out << "[[nodes]]\nname = \"" << names[i] << "\"\nport = " << first_port + 10 * static_cast<int>(i) << "\n" << node_lines << "\n";
  }
  out << tail << "\n";
  return out.str();
}

}  // namespace spillway::tests
