// spillway sim replay: the decisions of production nodes taken again
#include "app/sim_replay_command.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <memory>

#include "decisions/replay.h"
#include "model/text_stream.h"

namespace spillway::app {
namespace {

namespace json = boost::json;

/// What parent and child share: the decision that is being taken.
struct Progress {
  std::uint64_t decisions = 0;  ///< begun, in all files together
  std::uint64_t equal = 0;
  std::uint64_t number = 0;  ///< within the file
  char file[512] = {};
  char core[128] = {};
  char event[128] = {};
  char first[16384] = {};  ///< the first difference so far, as JSON
};

template <std::size_t size>
void set(char (&to)[size], const std::string& text) {
  const std::size_t bytes = std::min(size - 1, text.size());
  std::memcpy(to, text.data(), bytes);
  to[bytes] = 0;
}

/// A path may be any bytes, and JSON may not.
std::string valid(const std::string& text) {
  std::string made;
  model::Utf8Stream stream;
  stream.feed(text, made);
  stream.finish(made);
  return made;
}

json::value to_json(const std::optional<decisions::Difference>& difference) {
  json::value first;
  if (difference) {
    first = {{"file", valid(difference->decision.file)}, {"decision", difference->decision.number}, {"core", difference->decision.core},
             {"event", difference->decision.event},      {"expected", difference->expected},        {"came", difference->came}};
  }
  return first;
}

json::object result_of(std::uint64_t taken, std::uint64_t equal, json::value first) {
  return {{"decisions", taken}, {"equal", equal}, {"first_difference", std::move(first)}};
}

/// What the child says: a line of JSON, or an error.
json::object said_by(const std::string& log, const decisions::Watch& watch) {
  const auto replayed = decisions::replay(std::filesystem::path(log), watch);
  if (!replayed) return {{"error", valid(replayed.error().message)}};
  json::array notes;
  for (const auto& note : replayed->notes) notes.emplace_back(valid(note));
  return {{"result", result_of(replayed->decisions, replayed->equal, to_json(replayed->first_difference))}, {"notes", notes}};
}

[[noreturn]] void work(const std::string& log, Progress& progress, int to_parent) {
  const auto watch = [&progress](const decisions::Decision& decision, const decisions::Replayed& so_far) {
    progress.decisions = so_far.decisions + 1;
    progress.equal = so_far.equal;
    if (so_far.first_difference && progress.first[0] == 0) set(progress.first, json::serialize(to_json(so_far.first_difference)));
    progress.number = decision.number;
    set(progress.file, decision.file);
    set(progress.core, decision.core);
    set(progress.event, decision.event);
  };
  const std::string text = json::serialize(said_by(log, watch));
  for (std::size_t at = 0; at < text.size();) {
    const auto written = ::write(to_parent, text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(1);
    at += static_cast<std::size_t>(written);
  }
  ::_exit(0);
}

std::string read_all(int fd) {
  std::string text;
  char part[4096];
  for (;;) {
    const auto got = ::read(fd, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(part, static_cast<std::size_t>(got));
  }
}

/// The child ended in the middle of a decision.
json::object stopped_at(const Progress& progress, int status) {
  const std::string how = WIFSIGNALED(status) ? std::string("the core stopped: ") + ::strsignal(WTERMSIG(status)) : "the core stopped";
  json::object first{{"file", valid(progress.file)}, {"decision", progress.number},        {"core", progress.core},
                     {"event", progress.event},      {"expected", "an answer, as logged"}, {"came", how}};
  json::error_code unreadable;
  json::value earlier = progress.first[0] == 0 ? json::value(first) : json::parse(progress.first, unreadable);
  return {{"result", result_of(progress.decisions, progress.equal, unreadable ? json::value(first) : std::move(earlier))}};
}

std::string text_of(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : json::serialize(value);
}

void print(const json::object& result, std::ostream& out) {
  out << text_of(result.at("equal")) << " of " << text_of(result.at("decisions")) << " decisions came out equal\n";
  if (result.at("first_difference").is_null()) return;
  const auto& first = result.at("first_difference").as_object();
  out << "first difference: decision " << text_of(first.at("decision")) << " of " << text_of(first.at("file")) << ", "
      << text_of(first.at("core")) << ", " << text_of(first.at("event")) << "\n  expected  " << text_of(first.at("expected"))
      << "\n  came      " << text_of(first.at("came")) << '\n';
}

}  // namespace

int sim_replay(const std::string& log, bool as_json, std::ostream& out, std::ostream& errors) {
  const auto broken = [&](const char* what) {
    errors << "sim replay: " << what << ": " << std::strerror(errno) << '\n';
    return 1;
  };
  void* shared = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return broken("mmap");
  const auto unmap = [](Progress* p) { ::munmap(p, sizeof(Progress)); };
  const std::unique_ptr<Progress, decltype(unmap)> progress(new (shared) Progress, unmap);
  int fds[2] = {-1, -1};
  if (::pipe(fds) != 0) return broken("pipe");
  out.flush();
  errors.flush();
  const pid_t child = ::fork();
  if (child < 0) return broken("fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(fds[0]);
    work(log, *progress, fds[1]);
  }
  ::close(fds[1]);
  const std::string text = read_all(fds[0]);
  ::close(fds[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  json::error_code unreadable;
  const json::value parsed = json::parse(text, unreadable);
  json::object said;
  if (!unreadable && parsed.is_object()) {
    said = parsed.as_object();
  } else if (progress->decisions > 0) {
    said = stopped_at(*progress, status);
  } else {
    said = {{"error", log + ": reading it ended the process (" + std::to_string(status) + ")"}};
  }
  if (const auto* error = said.if_contains("error")) {
    errors << text_of(*error) << '\n';
    return 1;
  }
  if (const auto* notes = said.if_contains("notes")) {
    for (const auto& note : notes->as_array()) errors << text_of(note) << '\n';
  }
  const auto& result = said.at("result").as_object();
  if (as_json) out << json::serialize(result) << '\n';
  else print(result, out);
  return result.at("first_difference").is_null() ? 0 : 1;
}

void add_sim_replay(CLI::App& sim, Run& run) {
  struct Flags {
    std::string log;
    bool json = false;
  };
  auto* command = sim.add_subcommand("replay",
                                     "Take the decisions of production nodes again: the same cores are told what `up --decision-log` "
                                     "logged, and must answer what they answered");
  const auto flags = std::make_shared<Flags>();
  command->add_option("LOG", flags->log, "A decision log, or the folder of several")->required();
  command->add_flag("--json", flags->json, "Print one JSON object: decisions, equal, first_difference");
  command->callback([flags, &run] { run = [flags] { return sim_replay(flags->log, flags->json, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
