#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/digest.h"
#include "decisions/calls.h"
#include "decisions/log_format.h"
#include "decisions/pack.h"

/// The seam between a core and whoever drives it: every call goes through `take`, which logs what the core was told and what it
/// answered, or, without a log, is the call and a test of a pointer.
namespace spillway::decisions {

/// Where records go, in order, from all cores of a process. Any thread.
class Sink {
 public:
  explicit Sink(bool answers) : answers_(answers) {}
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  virtual void add(core::Bytes record) = 0;
  /// False once the log has ended (a full disk, a record too large): nothing is taken any more.
  bool open() const { return open_.load(std::memory_order_relaxed); }
  /// Whether answers are logged themselves, beside their digests.
  bool answers() const { return answers_; }
  std::uint32_t new_core() { return cores_.fetch_add(1, std::memory_order_relaxed); }

 protected:
  std::atomic<bool> open_{true};

 private:
  std::atomic<std::uint32_t> cores_{0};
  const bool answers_;
};

/// What follows the arguments of a call in its record.
struct AnswerRecord {
  bool damaged = false;  ///< cache::Message
  std::uint32_t actions = 0;
  core::U128 digest;                  ///< core::checksum128 of the packed answer
  std::optional<std::string> answer;  ///< the packed answer itself

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("damaged", s.damaged), v("actions", s.actions), v("digest", s.digest), v("answer", s.answer);
  }
};

/// An answer: the actions of one call, what it returned, and when the core wants to be woken.
template <class Core, class Result>
void pack_answer(core::ByteVector& out, std::span<const typename Core::Action> actions, const Result& result, Instant next_tick) {
  Packer packer(out, Packer::Pages::without_checksums);
  packer.number(actions.size());
  for (const auto& action : actions) packer.put(action);
  packer.put(result);
  packer.put(next_tick);
}

/// A call that returns nothing answers with a std::monostate.
template <class Call, class Core, class... A>
auto take_call(Core& core, Instant now, std::vector<typename Core::Action>& out, A&... arguments) {
  if constexpr (std::is_void_v<typename SignatureOf<Call>::Result>) {
    Call::take(core, now, out, arguments...);
    return std::monostate{};
  } else {
    return Call::take(core, now, out, arguments...);
  }
}

/// Logs the calls of one core. Lives beside the core, in one thread.
template <class Core>
class Recorder {
 public:
  using Calls = CallsOf<Core>;
  using Actions = std::vector<typename Core::Action>;

  Recorder(std::shared_ptr<Sink> sink, const typename Calls::Start& start) : sink_(std::move(sink)), core_(sink_->new_core()) {
    Packer packer(record_);
    packer.put(RecordKind::start);
    packer.number(core_);
    packer.put(AnyStart{start});
    sink_->add(record_);
  }

  template <class Call, class... A>
  auto take(Core& core, Instant now, Actions& out, const A&... arguments) {
    using Arguments = typename SignatureOf<Call>::Arguments;
    record_.clear();
    Packer packer(record_);
    packer.put(RecordKind::call);
    packer.number(core_);
    packer.number(Calls::template number_of<Call>());
    packer.put(now);
    [&]<class... D>(std::type_identity<std::tuple<D...>>) {
      static_assert((std::is_same_v<D, A> && ...), "hand over exactly what the call takes: it is what a replay will read");
      (packer.put(arguments), ...);
    }(std::type_identity<Arguments>{});
    const std::size_t before = out.size();
    auto result = take_call<Call>(core, now, out, arguments...);
    const auto actions = std::span<const typename Core::Action>(out).subspan(before);
    answer_.clear();
    pack_answer<Core>(answer_, actions, result, core.next_tick());
    AnswerRecord answer;
    answer.actions = static_cast<std::uint32_t>(actions.size());
    answer.digest = core::checksum128(answer_);
    if (sink_->answers()) answer.answer = std::string(core::as_text(answer_));
    if constexpr (requires { Call::damaged(arguments..., actions.front()); }) {
      for (const auto& action : actions) answer.damaged = answer.damaged || Call::damaged(arguments..., action);
    }
    packer.put(answer);
    sink_->add(record_);
    return result;
  }

  bool open() const { return sink_->open(); }

 private:
  std::shared_ptr<Sink> sink_;
  std::uint32_t core_;
  core::ByteVector record_;
  core::ByteVector answer_;
};

/// Makes a core's recorder; null without a sink.
template <class Core>
std::unique_ptr<Recorder<Core>> record(const std::shared_ptr<Sink>& sink, const typename CallsOf<Core>::Start& start) {
  return sink ? std::make_unique<Recorder<Core>>(sink, start) : nullptr;
}

/// The call, logged when there is a log.
template <class Call, class Core, class... A>
auto take(Recorder<Core>* log, Core& core, Instant now, std::vector<typename Core::Action>& out, const A&... arguments) {
  if (log == nullptr || !log->open()) return take_call<Call>(core, now, out, arguments...);
  return log->template take<Call>(core, now, out, arguments...);
}
template <class Call, class Core, class... A>
auto take(const std::unique_ptr<Recorder<Core>>& log, Core& core, Instant now, std::vector<typename Core::Action>& out,
          const A&... arguments) {
  return take<Call>(log.get(), core, now, out, arguments...);
}

}  // namespace spillway::decisions
