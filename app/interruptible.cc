#include "app/interruptible.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <string>

#include "app/client_options.h"
#include "app/signals.h"

namespace spillway::app {

namespace {

constexpr auto leave_max = std::chrono::seconds(3);  // for those who have something to put in order

[[noreturn]] void work_in_child(const std::function<int()>& work, pid_t parent, const sigset_t& mask) {
  ::setpgid(0, 0);  // what it starts belongs to it, so that one kill reaches all of them
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  std::signal(SIGPIPE, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  const int status = work();
  std::cout.flush();
  std::cerr.flush();
  ::_exit(std::cout ? status : 1);
}

/// Ends the group of `child`, and waits for it.
void end_group(pid_t child, int signal) {
  ::kill(-child, signal);
  const auto until = std::chrono::steady_clock::now() + leave_max;
  bool reaped = false;
  while (std::chrono::steady_clock::now() < until) {
    reaped = reaped || ::waitpid(child, nullptr, WNOHANG) == child;
    if (reaped && ::kill(-child, 0) != 0) return;
    ::poll(nullptr, 0, 10);
  }
  ::kill(-child, SIGKILL);
  if (!reaped) ::waitpid(child, nullptr, 0);
}

}  // namespace

int run_interruptible(const std::function<int()>& work, const std::function<void(pid_t)>& clean_up) {
  std::cout.flush();  // or the child would print it again
  sigset_t mask;
  ::sigprocmask(SIG_SETMASK, nullptr, &mask);
  const pid_t parent = ::getpid();
  const Signals signals;  // blocked before the child is there: no signal comes between
  const pid_t child = ::fork();
  if (child == 0) work_in_child(work, parent, mask);
  if (child < 0) return complain("fork: " + std::string(std::strerror(errno)));
  ::setpgid(child, child);  // whoever comes first
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const int signal = signals.wait(std::chrono::milliseconds(20));
    if (signal == 0) continue;
    end_group(child, signal);
    clean_up(child);
    return 128 + signal;
  }
}

}  // namespace spillway::app
