#include "decisions/replay.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "core/digest.h"
#include "decisions/calls.h"
#include "decisions/log_format.h"
#include "decisions/recorder.h"
#include "decisions/tape.h"

namespace spillway::decisions {

namespace {

constexpr std::size_t cores_max = 4096;         // of one node
constexpr std::uint32_t blocks_max = 1U << 26;  // of one replica: a thousand million tokens
constexpr std::size_t shown_max = 400;          // characters of a line

/// What a log says may be anything: shown in printable ASCII, other bytes as \xHH, and not without end.
std::string shown(const std::string& text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string made;
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) made.push_back(c);
    else made.append({'\\', 'x', digits[byte >> 4], digits[byte & 15]});
  }
  return text.size() <= shown_max ? made : made + "...";
}

// -- Names for people ------------------------------------------------------------------------------------------------------------

std::string name_of(const RouterStart&) {
  return "router";
}
std::string name_of(const BatcherStart& start) {
  return "batcher " + std::to_string(start.self.index);
}
std::string name_of(const CacheStart&) {
  return "cache";
}
std::string name_of(const LinkStart& start) {
  return "link to " + shown(start.peer_name);
}

/// The kind of what came, where one call takes several.
template <class T>
std::string kind_of(const T& argument) {
  if constexpr (std::is_same_v<T, core::MessagePtr>) {
    return argument ? kind_of(*argument) : "";
  } else if constexpr (is_variant<T>) {
    return std::visit([]<class A>(const A&) { return " " + std::string(type_name<A>()); }, argument);
  } else {
    return "";
  }
}

// -- Answers ---------------------------------------------------------------------------------------------------------------------

/// "2 actions: Post RunAccepted, Local ExportGrown".
template <class Core>
std::string actions_text(const std::vector<typename Core::Action>& actions) {
  std::string text = std::to_string(actions.size()) + (actions.size() == 1 ? " action" : " actions");
  const char* before = ": ";
  for (const auto& action : actions) {
    text += std::exchange(before, ", ");
    std::visit(
        [&]<class A>(const A& a) {
          text += type_name<A>();
          if constexpr (requires { a.message; }) text += kind_of(a.message);
          if constexpr (requires { a.event; }) text += kind_of(a.event);
        },
        action);
  }
  return text.size() <= shown_max ? text : text.substr(0, shown_max) + "...";
}

/// A packed answer as lines, and its actions in short; nothing when it cannot be read.
template <class Core, class Result>
struct OpenAnswer {
  Tape tape;
  std::string actions;

  explicit OpenAnswer(core::Bytes answer) {
    std::vector<typename Core::Action> made;
    Result result{};
    Instant next_tick{};
    Unpacker in(answer);
    in.get(made), in.get(result), in.get(next_tick);
    if (in.failed() || in.left() != 0) return;
    TapeWriter(tape, "actions").put(made);
    TapeWriter(tape, "result").put(result);
    TapeWriter(tape, "next tick").put(next_tick);
    actions = actions_text<Core>(made);
  }
};

std::string line_text(const Tape& tape, std::size_t at) {
  return at < tape.size() ? shown(tape[at].path + " = " + tape[at].value) : "nothing more";
}

// -- Cores -----------------------------------------------------------------------------------------------------------------------

/// What became of one decision.
struct Outcome {
  std::string wrong;  ///< the record makes no sense
  bool equal = false;
  std::string expected, came;
};

/// One core that is played again.
class Player {
 public:
  explicit Player(std::string name) : name_(std::move(name)) {}
  virtual ~Player() = default;
  /// Plays call `number` with what `in` holds. `begin` is told the event's name once it is known.
  virtual Outcome play(std::uint64_t number, Instant at, Unpacker& in, const std::function<void(std::string)>& begin) = 0;

  const std::string& name() const { return name_; }
  bool apart = false;  ///< its answer differed: what it would say now means nothing

 private:
  std::string name_;
};

template <class Core>
class PlayerOf : public Player {
 public:
  explicit PlayerOf(const typename CallsOf<Core>::Start& start) : Player(name_of(start)), core_(start.make()) {}

  Outcome play(std::uint64_t number, Instant at, Unpacker& in, const std::function<void(std::string)>& begin) override {
    Outcome outcome;
    const bool known = CallsOf<Core>::with(number, [&]<class Call>() { outcome = take<Call>(at, in, begin); });
    if (!known) outcome.wrong = "event " + std::to_string(number) + " is unknown";
    return outcome;
  }

 private:
  template <class Call>
  Outcome take(Instant at, Unpacker& in, const std::function<void(std::string)>& begin) {
    Outcome outcome;
    typename SignatureOf<Call>::Arguments arguments;
    std::string event(Call::name);
    std::apply([&](auto&... a) { (in.get(a), ...), ((event += kind_of(a)), ...); }, arguments);
    AnswerRecord logged;
    in.get(logged);
    if (in.failed() || in.left() != 0) {
      outcome.wrong = event + (in.failed() ? in.wrong() : std::string(": bytes behind the answer"));
      return outcome;
    }
    begin(event);
    if (apart) return outcome;
    if constexpr (requires { &Call::make_damaged; }) {
      if (logged.damaged) std::apply([](auto&... a) { Call::make_damaged(a...); }, arguments);
    }
    std::vector<typename Core::Action> actions;
    auto result = std::apply([&](const auto&... a) { return take_call<Call>(core_, at, actions, a...); }, arguments);
    answer_.clear();
    pack_answer<Core>(answer_, actions, result, core_.next_tick());
    const core::U128 digest = core::checksum128(answer_);
    outcome.equal = digest == logged.digest && actions.size() == logged.actions;
    if (!outcome.equal) tell<decltype(result)>(logged, digest, outcome);
    return outcome;
  }

  template <class Result>
  void tell(const AnswerRecord& logged, const core::U128& digest, Outcome& outcome) {
    const OpenAnswer<Core, Result> came(answer_);
    if (logged.answer) {
      const OpenAnswer<Core, Result> expected(core::as_bytes(*logged.answer));
      const auto at = std::mismatch(expected.tape.begin(), expected.tape.end(), came.tape.begin(), came.tape.end()).first;
      const auto line = static_cast<std::size_t>(at - expected.tape.begin());
      outcome.expected = line_text(expected.tape, line) + " (" + expected.actions + ")";
      outcome.came = line_text(came.tape, line) + " (" + came.actions + ")";
      if (!expected.tape.empty() && outcome.expected != outcome.came) return;
    }
    // Of what was logged no more is known than its digest, or its tape does not show where the two part.
    outcome.expected =
        std::to_string(logged.actions) + (logged.actions == 1 ? " action" : " actions") + "; answer " + core::to_hex(logged.digest);
    outcome.came = came.actions + "; answer " + core::to_hex(digest);
  }

  Core core_;
  core::ByteVector answer_;
};

/// Why a core cannot be made from this; empty when it can.
std::string wrong_start(const AnyStart& any) {
  const auto* start = std::get_if<BatcherStart>(&any);
  if (start != nullptr && start->info.blocks > blocks_max) return "a replica of " + std::to_string(start->info.blocks) + " blocks";
  return {};
}

// -- One log ---------------------------------------------------------------------------------------------------------------------

class Replay {
 public:
  /// What comes of it is added to `done`.
  Replay(std::istream& in, const std::string& file, const Watch& watch, Replayed& done) : reader_(in, file), watch_(watch), done_(done) {
    decision_.file = file;
  }

  core::Result<void> run() {
    const auto head = reader_.open();
    if (!head) return tl::make_unexpected(head.error());
    for (;;) {
      const auto next = reader_.next();
      if (!next) return tl::make_unexpected(next.error());
      if (*next == LogReader::Next::end) return {};
      if (*next == LogReader::Next::cut) {
        done_.notes.push_back(decision_.file + " is cut off at byte " + std::to_string(reader_.offset()) + ", behind decision " +
                              std::to_string(decisions_) + ": the node was killed or still runs, or its disk was full");
        return {};
      }
      if (std::string wrong = take(); !wrong.empty()) return tl::make_unexpected(reader_.error("this record cannot be: " + wrong));
    }
  }

 private:
  /// What is wrong with the record; empty when nothing is.
  std::string take() {
    Unpacker in(reader_.record());
    switch (in.number()) {
      case static_cast<std::uint64_t>(RecordKind::start): return start(in);
      case static_cast<std::uint64_t>(RecordKind::call): return call(in);
      default: return "it is of an unknown kind";
    }
  }

  std::string start(Unpacker& in) {
    const std::uint64_t number = in.number();
    AnyStart any;
    in.get(any);
    if (in.failed() || in.left() != 0) return "the start of a core" + in.wrong();
    if (players_.contains(number)) return "core " + std::to_string(number) + " starts twice";
    if (players_.size() >= cores_max) return "more than " + std::to_string(cores_max) + " cores";
    if (std::string wrong = wrong_start(any); !wrong.empty()) return wrong;
    std::visit(
        [&]<class Start>(const Start& s) {
          using Core = decltype(s.make());
          players_[number] = std::make_unique<PlayerOf<Core>>(s);
        },
        any);
    return {};
  }

  std::string call(Unpacker& in) {
    const auto found = players_.find(in.number());
    const std::uint64_t number = in.number();
    Instant at{};
    in.get(at);
    if (in.failed()) return in.wrong();
    if (found == players_.end()) return "it is for a core that has not started";
    Player& player = *found->second;
    const Outcome outcome = player.play(number, at, in, [&](std::string event) {
      decision_.number = ++decisions_;
      decision_.core = player.name();
      decision_.event = std::move(event);
      if (watch_) watch_(decision_, done_);
    });
    if (!outcome.wrong.empty()) return outcome.wrong;
    ++done_.decisions;
    if (outcome.equal) {
      ++done_.equal;
    } else if (!player.apart) {
      player.apart = true;
      if (!done_.first_difference) done_.first_difference = Difference{decision_, outcome.expected, outcome.came};
    }
    return {};
  }

  LogReader reader_;
  const Watch& watch_;
  Decision decision_;
  Replayed& done_;
  std::uint64_t decisions_ = 0;  // of this log
  std::map<std::uint64_t, std::unique_ptr<Player>> players_;
};

core::Result<void> replay_one(std::istream& in, const std::string& file, const Watch& watch, Replayed& done) {
  try {
    return Replay(in, file, watch, done).run();
  } catch (const std::bad_alloc&) {
    return core::fail(core::Errc::bad_file, file + ": there is not enough memory for what it asks for");
  }
}

}  // namespace

core::Result<Replayed> replay(std::istream& in, const std::string& file, const Watch& watch) {
  Replayed done;
  if (auto read = replay_one(in, file, watch, done); !read) return tl::make_unexpected(read.error());
  return done;
}

core::Result<Replayed> replay(const std::filesystem::path& path, const Watch& watch) {
  std::vector<std::filesystem::path> files;
  std::error_code failed;
  if (std::filesystem::is_directory(path, failed)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
      if (entry.path().extension() == ".slog") files.push_back(entry.path());
    }
    if (files.empty()) return core::fail(core::Errc::bad_file, path.string() + ": no decision log (*.slog) in this folder");
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  Replayed all;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return core::fail(core::Errc::bad_file, file.string() + ": no such log, or it may not be read");
    if (auto read = replay_one(in, file.string(), watch, all); !read) return tl::make_unexpected(read.error());
  }
  return all;
}

}  // namespace spillway::decisions
