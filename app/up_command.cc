// spillway up: every node of a cluster file as a process of its own on this machine

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <map>

#include "app/client_options.h"
#include "app/cluster_file.h"
#include "app/commands.h"
#include "app/decision_log_flags.h"
#include "app/signals.h"
#include "core/log.h"
#include "sched/backoff.h"

namespace spillway::app {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int exit_wrong_use = 2;  // a node that leaves with this would do so again
constexpr std::uint32_t failed_starts_max = 3;

struct UpFlags {
  std::string file;
  std::string log_level = "info";
  DecisionLogFlags decision_log;
  bool json = false;
};

struct Child {
  std::string name;
  pid_t pid = 0;      // 0: not running
  int ready_fd = -1;  // read end
  bool ready = false;
  bool given_up = false;
  bool left = false;  // in good order: drained or stopped by hand
  sched::Backoff backoff;
  Clock::time_point start_at;
  bool served = false;  // ready once, in this `up`
  std::uint32_t failed_starts = 0;
  Clock::time_point first_failure;
  std::string reason;  // why it cannot serve, in its own words
};

core::Instant instant(Clock::time_point at) {
  return core::Instant{std::chrono::duration_cast<core::Duration>(at.time_since_epoch())};
}

/// The processes of `up`: starts them, starts again what died, and stops them in order.
class Supervisor {
 public:
  Supervisor(const UpFlags& flags, const config::Cluster& cluster) : flags_(flags), cluster_(cluster) {
    const sched::BackoffLimits limits{cluster.timings.restart_backoff_min, cluster.timings.restart_backoff_max, std::chrono::seconds(30)};
    for (const auto& node : cluster.nodes) {
      if (node.start) children_.push_back({node.name, 0, -1, false, false, false, sched::Backoff(limits), Clock::now(), false, 0, {}, {}});
    }
  }

  int run(const Signals& signals) {
    while (true) {
      for (auto& child : children_) {
        if (child.pid == 0 && !child.given_up && Clock::now() >= child.start_at) start(child);
      }
      if (const int signal = signals.wait(std::chrono::milliseconds(20)); signal != 0) {
        core::log_info(std::string("stopping on ") + strsignal(signal));
        return stop();
      }
      reap();
      read_ready();
      if (std::all_of(children_.begin(), children_.end(), [](const Child& c) { return c.given_up; })) {
        return all_gone();
      }
    }
  }

 private:
  void start(Child& child) {
    int fds[2] = {-1, -1};
    if (::pipe2(fds, O_CLOEXEC) != 0) {
      complain("pipe: " + std::string(std::strerror(errno)));
      child.start_at = Clock::now() + std::chrono::seconds(1);
      return;
    }
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) exec_node(child, fds[1], parent);
    ::close(fds[1]);
    if (pid < 0) {
      ::close(fds[0]);
      complain("fork: " + std::string(std::strerror(errno)));
      child.start_at = Clock::now() + std::chrono::seconds(1);
      return;
    }
    ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
    child.pid = pid;
    child.ready_fd = fds[0];
    child.ready = false;
    child.reason.clear();
  }

  /// In the child: nothing here returns.
  [[noreturn]] void exec_node(const Child& child, int ready_fd, pid_t parent) const {
    // The nodes must not outlive a supervisor that was killed.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int passed = ::dup(ready_fd);  // without CLOEXEC
    const std::string fd = std::to_string(passed);
    std::vector<const char*> arguments = {"spillway",         "node",        flags_.file.c_str(),      "--name",
                                          child.name.c_str(), "--log-level", flags_.log_level.c_str(), "--ready-fd",
                                          fd.c_str()};
    const auto& log = flags_.decision_log;
    if (!log.folder.empty()) arguments.insert(arguments.end(), {"--decision-log", log.folder.c_str()});
    if (log.answers) arguments.push_back("--decision-log-answers");
    arguments.push_back(nullptr);
    ::execv("/proc/self/exe", const_cast<char* const*>(arguments.data()));
    ::_exit(127);
  }

  void ended(Child& child, int status) {
    const pid_t pid = child.pid;
    hear(child);
    child.pid = 0;
    child.ready = false;
    if (child.ready_fd >= 0) ::close(child.ready_fd);
    child.ready_fd = -1;
    const std::string who = "node " + child.name + " (pid " + std::to_string(pid) + ") ";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      child.given_up = child.left = true;
      return core::log_info(who + "has left; it was drained or stopped by hand and is not started again");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == exit_wrong_use) {
      child.given_up = true;
      return core::log_error(who + "cannot run as it is configured and is not started again");
    }
    std::string how = WIFSIGNALED(status) ? std::string("was killed by ") + strsignal(WTERMSIG(status))
                                          : "ended with " + std::to_string(WEXITSTATUS(status));
    if (!child.reason.empty()) how += " (" + child.reason + ")";
    if (cannot_start(child)) {
      child.given_up = true;
      return core::log_error(who + how + "; it was never ready in " + std::to_string(child.failed_starts) +
                             " starts and is not started again: correct the cause and run `spillway up` again");
    }
    const core::Duration wait = child.backoff.failed(instant(Clock::now()));
    child.start_at = Clock::now() + wait;
    core::log_warn(who + how + "; starting it again in " + std::to_string(wait.count() / 1000000) + " ms");
  }

  /// Counts a failure of a node that has never served. The nodes of an `up` that was killed a moment ago hold their ports until
  /// they have stopped, so the failures must outlast that.
  bool cannot_start(Child& child) const {
    if (child.served) return false;
    if (++child.failed_starts == 1) child.first_failure = Clock::now();
    return child.failed_starts >= failed_starts_max && Clock::now() - child.first_failure >= cluster_.timings.stop_after;
  }

  /// What the node says: 1 when it serves, 0 and the reason when it cannot.
  static void hear(Child& child) {
    char text[1024];
    const auto size = child.ready_fd < 0 ? 0 : ::read(child.ready_fd, text, sizeof text);
    if (size <= 0) return;
    child.ready = text[0] == '1';
    child.served = child.served || child.ready;
    if (!child.ready) child.reason.assign(text + 1, static_cast<std::size_t>(size) - 1);
  }

  void reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      for (auto& child : children_) {
        if (child.pid == pid) ended(child, status);
      }
    }
  }

  /// Every node has left, and none is started again.
  int all_gone() const {
    std::string failed;
    for (const auto& child : children_) {
      if (!child.left) failed += " " + child.name;
    }
    if (!failed.empty()) return complain("no node is left; given up:" + failed);
    core::log_info("every node has left");
    return 0;
  }

  /// Says once on stdout that all nodes serve, but for those that are not started again: scripts wait for this line.
  void read_ready() {
    for (auto& child : children_) {
      if (!child.ready) hear(child);
    }
    const bool all = std::all_of(children_.begin(), children_.end(), [](const Child& c) { return c.ready || c.given_up; });
    const auto count = std::count_if(children_.begin(), children_.end(), [](const Child& c) { return c.ready; });
    if (!all || count == 0 || announced_) return;
    announced_ = true;
    if (flags_.json) {
      std::cout << "{\"ready\": true, \"nodes\": " << count << "}" << std::endl;
      return;
    }
    std::cout << "ready: " << count << " nodes of cluster " << cluster_.name;
    for (const auto& child : children_) {
      if (child.given_up) std::cout << ", without " << child.name;
    }
    std::cout << std::endl;
  }

  bool any_running() const {
    return std::any_of(children_.begin(), children_.end(), [](const Child& c) { return c.pid != 0; });
  }

  int stop() {
    for (const auto& child : children_) {
      if (child.pid != 0) ::kill(child.pid, SIGTERM);
    }
    const auto until = Clock::now() + cluster_.timings.stop_after;
    for (auto& child : children_) child.given_up = true;
    while (any_running() && Clock::now() < until) {
      wait_one(std::chrono::milliseconds(10));
    }
    for (const auto& child : children_) {
      if (child.pid == 0) continue;
      core::log_warn("node " + child.name + " did not stop in time and is killed");
      ::kill(child.pid, SIGKILL);
    }
    while (any_running()) wait_one(std::chrono::milliseconds(10));
    return 0;
  }

  void wait_one(std::chrono::milliseconds pause) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) {
      ::poll(nullptr, 0, static_cast<int>(pause.count()));
      return;
    }
    for (auto& child : children_) {
      if (child.pid != pid) continue;
      child.pid = 0;
      if (child.ready_fd >= 0) ::close(child.ready_fd);
      child.ready_fd = -1;
    }
  }

  UpFlags flags_;
  const config::Cluster& cluster_;
  std::vector<Child> children_;
  bool announced_ = false;
};

int up(const UpFlags& flags) {
  core::LogLevel level = core::LogLevel::info;
  if (!core::parse_log_level(flags.log_level, level)) {
    return complain("--log-level " + flags.log_level + ": want trace, debug, info, warn, error or off", 2);
  }
  core::log_init("up", level);
  const auto cluster = load_cluster_and_models(flags.file);
  if (!cluster) return complain(config::to_error(cluster.error()).message, 2);
  if (const auto usable = check(flags.decision_log); !usable) return complain(usable.error().message);
  const Signals signals;
  return Supervisor(flags, *cluster).run(signals);
}

}  // namespace

void add_up_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("up", "Run every node of a cluster file as a process of its own, until SIGINT or SIGTERM");
  const auto flags = std::make_shared<UpFlags>();
  command->add_option("file", flags->file, "Cluster file")->required()->type_name("FILE");
  command->add_option("--log-level", flags->log_level, "trace, debug, info (default), warn, error or off");
  add_decision_log_flags(*command, flags->decision_log);
  command->add_flag("--json", flags->json, "Print one JSON value when all nodes serve");
  command->callback([&run, flags] { run = [flags] { return up(*flags); }; });
}

}  // namespace spillway::app
