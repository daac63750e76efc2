// spillway-demo: three nodes, a real model, one stream that moves while it is read, one node that is killed.
//   spillway-demo PATH_OF_SPILLWAY CLUSTER_FILE

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include "app/client_options.h"

namespace spillway::app {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int streams_wanted = 24;
constexpr std::uint32_t answer_tokens = 96;
constexpr std::uint32_t story_tokens = 160;

std::atomic<bool> interrupted{false};

double ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::lround(percent / 100.0 * static_cast<double>(values.size() - 1)))];
}

/// `spillway up` as a child; stopped when the object goes, whatever happened.
class Up {
 public:
  Up(const std::string& binary, const std::string& config) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      ::dup2(fds[1], STDOUT_FILENO);
      ::execl(binary.c_str(), "spillway", "up", config.c_str(), "--log-level", "error", static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(fds[1]);
    out_ = fds[0];
    ::fcntl(out_, F_SETFL, O_NONBLOCK);
  }
  ~Up() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      ::waitpid(pid_, nullptr, 0);
    }
    if (out_ >= 0) ::close(out_);
  }
  Up(const Up&) = delete;
  Up& operator=(const Up&) = delete;

  bool wait_ready() const {
    std::string text;
    for (const auto until = Clock::now() + std::chrono::seconds(60); Clock::now() < until && !interrupted;) {
      char buffer[256];
      const auto got = ::read(out_, buffer, sizeof buffer);
      if (got == 0) return false;
      if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
      if (text.find("ready") != std::string::npos) return true;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
  }

 private:
  pid_t pid_ = -1;
  int out_ = -1;
};

/// What the screen shows: a table that is redrawn on a terminal and printed now and then elsewhere.
class Screen {
 public:
  Screen() : terminal_(::isatty(STDOUT_FILENO) != 0) {}

  std::string bold(const std::string& text) const { return terminal_ ? "\033[1m" + text + "\033[0m" : text; }

  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::cout << "\n" << bold("== " + text) << std::endl;
    lines_ = 0;
  }
  void part(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::cout << text << std::flush;
    lines_ = 0;
  }
  void table(const sdk::ClusterStatus& status) {
    const std::lock_guard lock(mutex_);
    if (!terminal_ && Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(2);
    if (terminal_ && lines_ > 0) std::cout << "\033[" << lines_ << "A\033[J";
    std::cout << std::left << std::setw(8) << "NODE" << std::setw(10) << "STATE" << std::right << std::setw(9) << "STREAMS" << std::setw(15)
              << "KV BLOCKS" << std::setw(11) << "TOKENS/S"
              << "\n";
    lines_ = 1;
    auto nodes = status.nodes;
    std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& node : nodes) {
      std::cout << std::left << std::setw(8) << node.name << std::setw(10) << node.state << std::right << std::setw(9) << node.streams
                << std::setw(15) << std::to_string(node.kv_blocks_used) + "/" + std::to_string(node.kv_blocks_total) << std::setw(11)
                << node.tokens_per_second << "\n";
      ++lines_;
    }
    std::cout << std::flush;
  }

 private:
  bool terminal_;
  std::mutex mutex_;
  int lines_ = 0;
  Clock::time_point next_{};
};

sdk::Request work(int i) {
  static const char* const tasks[] = {
      "Translate the caption into plain English, then explain it: 'And the keeper is beaten from thirty metres!' Answer:",
      "Write the next three captions of a cooking programme. First caption: Now fold in the flour.",
      "Summarise for a news ticker: the city opened a new bridge this morning after four years of work. Summary:",
      "Is this comment fit for broadcast, and why: 'What a dreadful referee, but what a match'? Answer:",
      "Describe this trailer for viewers who cannot see it: a boat crosses a lake at dawn. Description:",
      "Suggest a title for a film about two rival weather forecasters. Titles:",
  };
  sdk::Request request;
  request.prompt = tasks[i % 6];
  request.prompt += " (" + std::to_string(i + 1) + ")";
  request.max_tokens = answer_tokens;
  request.ignore_eos = true;
  request.service_class = i % 3 == 0 ? sdk::ServiceClass::live : sdk::ServiceClass::interactive;
  return request;
}

sdk::Request story() {
  sdk::Request request;
  request.prompt = "The night train left the station with three passengers on board. The first of them";
  request.max_tokens = story_tokens;
  request.ignore_eos = true;
  return request;
}

struct Answers {
  std::vector<sdk::Stream> streams;
  std::vector<std::optional<sdk::Completion>> done;
};

class Demo {
 public:
  explicit Demo(sdk::Client client) : client_(std::move(client)) {}

  int run() {
    screen_.say("Three nodes serve " + (client_.models().empty() ? std::string("a model") : client_.models().front()) + "; you talk to " +
                client_.router());
    if (!reading_while_it_moves()) return 1;
    const auto begin = Clock::now();
    if (!start_work()) return 1;
    if (!kill_one()) return 1;
    if (!finish_work()) return 1;
    return summary(Clock::now() - begin);
  }

 private:
  std::string node_of(const std::string& request) {
    const auto status = client_.status();
    if (!status) return "";
    for (const auto& stream : status->streams) {
      if (stream.request_id == request) return stream.node;
    }
    return "";
  }

  /// One answer, read as it comes, while it is carried to another node and back.
  bool reading_while_it_moves() {
    screen_.say("One answer, read as it is made. Twice it moves to another node: look for the pause");
    std::atomic<std::size_t> tokens{0};
    sdk::StreamCallbacks callbacks;
    callbacks.on_chunk = [&](const sdk::Chunk& chunk) {
      tokens += chunk.tokens.size();
      screen_.part(chunk.text);
    };
    auto stream = client_.stream(story(), callbacks);
    if (!stream) return failed(stream.error());
    for (const std::size_t position : {40, 100}) {
      while (tokens < position && !interrupted) std::this_thread::sleep_for(milliseconds(2));
      const std::string from = node_of(stream->request_id());
      const std::string to = from == "red" ? "green" : "red";
      const auto moved = client_.move(stream->request_id(), to);
      if (!moved) return failed(moved.error());
      pauses_.push_back(ms(moved->pause));
      ++moves_;
      std::ostringstream note;
      note << std::fixed << std::setprecision(1) << " [" << from << " -> " << to << ": " << moved->blocks << " blocks, "
           << moved->bytes / 1024 << " KiB, pause " << ms(moved->pause) << " ms] ";
      screen_.part(screen_.bold(note.str()));
    }
    const auto moved_answer = stream->wait();
    screen_.part("\n");
    if (!moved_answer) return failed(moved_answer.error());
    screen_.say("The same question, undisturbed, to compare the bytes");
    const auto undisturbed = client_.complete(story());
    if (!undisturbed) return failed(undisturbed.error());
    const bool same = undisturbed->choices[0].text == moved_answer->choices[0].text;
    screen_.part(same ? "equal: all bytes of the answer that moved twice\n" : "NOT EQUAL\n");
    if (!same) ++lost_;
    return same;
  }

  bool start_work() {
    screen_.say(std::to_string(streams_wanted) + " streams of captions and prompts at once");
    for (int i = 0; i < streams_wanted; ++i) {
      auto stream = client_.stream(work(i));
      if (!stream) return failed(stream.error());
      answers_.streams.push_back(std::move(*stream));
    }
    answers_.done.resize(answers_.streams.size());
    return watch(std::chrono::seconds(2));
  }

  bool watch(std::chrono::nanoseconds time) {
    for (const auto until = Clock::now() + time; Clock::now() < until && !interrupted;) {
      if (const auto status = client_.status()) screen_.table(*status);
      std::this_thread::sleep_for(milliseconds(250));
    }
    return !interrupted;
  }

  /// Kills the busiest node that is not the one we talk to.
  bool kill_one() {
    const auto status = client_.status();
    if (!status) return failed(status.error());
    const sdk::NodeInfo* victim = nullptr;
    for (const auto& node : status->nodes) {
      if (node.name != client_.router() && node.pid > 0 && (victim == nullptr || node.streams > victim->streams)) victim = &node;
    }
    if (victim == nullptr) return true;
    screen_.say("kill -9 " + victim->name + " (pid " + std::to_string(victim->pid) + "), which runs " + std::to_string(victim->streams) +
                " streams");
    killed_streams_ = victim->streams;
    if (::kill(static_cast<pid_t>(victim->pid), SIGKILL) != 0) return failed({sdk::Code::io, std::strerror(errno), {}});
    return watch(std::chrono::seconds(3));
  }

  bool finish_work() {
    std::atomic<bool> over{false};
    std::thread watcher([&] {
      while (!over && !interrupted) watch(milliseconds(500));
    });
    for (std::size_t i = 0; i < answers_.streams.size(); ++i) {
      const auto done = answers_.streams[i].wait();
      if (done) {
        answers_.done[i] = *done;
      } else {
        ++lost_;
        screen_.say("a stream failed: " + done.error().message);
      }
    }
    over = true;
    watcher.join();
    return !interrupted;
  }

  int summary(std::chrono::nanoseconds took) {
    std::vector<double> ttft, tpot;
    std::uint64_t tokens = 0, restarts = 0;
    for (const auto& done : answers_.done) {
      if (!done) continue;
      tokens += done->usage.completion_tokens;
      restarts += done->restarts;
      moves_ += done->moves;
      ttft.push_back(ms(done->time_to_first_token));
      if (done->usage.completion_tokens > 1)
        tpot.push_back(ms(done->total - done->time_to_first_token) / (done->usage.completion_tokens - 1));
    }
    screen_.say("Every answer once more, undisturbed, to count what was lost");
    std::vector<sdk::Stream> again;
    for (int i = 0; i < streams_wanted; ++i) {
      auto stream = client_.stream(work(i));
      if (!stream) return complain(stream.error());
      again.push_back(std::move(*stream));
    }
    for (std::size_t i = 0; i < again.size(); ++i) {
      const auto done = again[i].wait();
      // What cannot be compared is not "nothing lost".
      if (!done) return complain("an answer could not be made again to compare: " + done.error().message);
      if (!answers_.done[i]) continue;  // failed, and counted
      const auto& mine = answers_.done[i]->choices[0].tokens;
      const auto& want = done->choices[0].tokens;
      for (std::size_t k = 0; k < want.size(); ++k) lost_ += k >= mine.size() || mine[k].id != want[k].id;
    }
    std::ostringstream out;
    out << std::fixed << std::setprecision(1) << "streams            " << streams_wanted << ", tokens " << tokens << "\n"
        << "tokens/s           " << static_cast<double>(tokens) / std::chrono::duration<double>(took).count() << "\n"
        << "TTFT               P50 " << percentile(ttft, 50) << " ms, P99 " << percentile(ttft, 99) << " ms\n"
        << "TPOT               P50 " << percentile(tpot, 50) << " ms, P99 " << percentile(tpot, 99) << " ms\n"
        << "moves              " << moves_ << ", longest pause " << percentile(pauses_, 100) << " ms\n"
        << "killed node        ran " << killed_streams_ << " streams; streams begun again elsewhere " << restarts << "\n"
        << "tokens lost        " << lost_ << "\n";
    screen_.say("Summary");
    screen_.part(out.str());
    return lost_ == 0 ? 0 : 1;
  }

  bool failed(const sdk::Error& error) {
    complain(error);
    return false;
  }

  sdk::Client client_;
  Screen screen_;
  Answers answers_;
  std::vector<double> pauses_;
  std::uint64_t moves_ = 0;
  std::uint64_t lost_ = 0;
  std::uint32_t killed_streams_ = 0;
};

int run_demo(const std::string& binary, const std::string& config) {
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  const Up up(binary, config);
  std::cout << "starting three nodes ..." << std::endl;
  if (!up.wait_ready()) return complain("the nodes did not start; run `" + binary + " up " + config + "` to see why");
  ClientFlags flags;
  flags.config = config;
  int code = 0;
  auto client = connect(flags, code);
  if (!client) return code;
  code = Demo(std::move(*client)).run();
  return interrupted ? 130 : code;
}

}  // namespace

}  // namespace spillway::app

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: spillway-demo PATH_OF_SPILLWAY CLUSTER_FILE\n";
    return 2;
  }
  return spillway::app::run_demo(argv[1], argv[2]);
}
