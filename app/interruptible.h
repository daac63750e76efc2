#pragma once

#include <sys/types.h>

#include <functional>

namespace spillway::app {

/// Runs `work` in a process of its own and gives its exit code. SIGINT and SIGTERM reach that process and all that it started, and
/// then `clean_up` is called with its id; the exit code is 128 + the signal, as of a program that died of it.
/// To be called before this process has threads. Error: 1 after a message on stderr when there can be no such process.
int run_interruptible(const std::function<int()>& work, const std::function<void(pid_t)>& clean_up);

}  // namespace spillway::app
