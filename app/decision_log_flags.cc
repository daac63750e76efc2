#include "app/decision_log_flags.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace spillway::app {

void add_decision_log_flags(CLI::App& command, DecisionLogFlags& flags) {
  auto* folder = command
                     .add_option("--decision-log", flags.folder,
                                 "Log what every core is told and a digest of what it answers, one file for each life of a node, for "
                                 "`spillway sim replay`; the files hold prompts, answers and the tenants' secrets")
                     ->type_name("DIR");
  command.add_flag("--decision-log-answers", flags.answers, "Log the answers themselves too, so that a replay shows where they part")
      ->needs(folder);
}

core::Result<void> check(const DecisionLogFlags& flags) {
  if (flags.folder.empty()) return {};
  std::error_code failed;
  const bool made = std::filesystem::create_directories(flags.folder, failed);
  if (failed) return core::fail(core::Errc::io, "--decision-log " + flags.folder + ": cannot make this folder: " + failed.message());
  if (made) std::filesystem::permissions(flags.folder, std::filesystem::perms::owner_all, failed);
  if (::access(flags.folder.c_str(), W_OK | X_OK) != 0) {
    return core::fail(core::Errc::io, "--decision-log " + flags.folder + ": cannot write there: " + std::strerror(errno));
  }
  return {};
}

}  // namespace spillway::app
