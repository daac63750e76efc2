#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/client_messages.h"
#include "net/client_connection.h"
#include "sdk/include/spillway/client.h"

namespace spillway::sdk {

using Clock = std::chrono::steady_clock;

class Session;

/// A request of this client. `submit` and everything under "event thread" belong to the session's thread; the rest is guarded.
struct StreamHandle {
  core::RequestId id;
  std::weak_ptr<Session> session;
  StreamCallbacks callbacks;
  bool with_callbacks = false;

  // Event thread.
  core::Submit submit;
  std::optional<core::Accepted> accepted;
  Completion result;
  std::vector<core::ChoiceState> received;  ///< per choice, for a re-submission
  Clock::time_point started;
  Clock::time_point last_arrival;
  Clock::time_point retry_at = Clock::time_point::max();
  std::optional<Clock::time_point> cancel_by;  ///< cancelled: ends here at the latest
  std::chrono::milliseconds timeout{0};
  bool sent = false;  ///< on the present connection

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Chunk> chunks;  ///< for next()
  std::optional<Result<Completion>> outcome;
};

/// One client object: its event thread, its connection, its requests.
class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(ClientOptions options);
  ~Session();

  /// Starts the event thread and waits for the first router.
  Result<Done> start();
  /// Ends the event thread: waits for it, or, when called on it, lets it go. It then ends by itself behind the present callback; it
  /// holds the session until then.
  void stop();

  Result<std::shared_ptr<StreamHandle>> submit(const Request& request, StreamCallbacks callbacks, bool with_callbacks);
  void cancel(const std::shared_ptr<StreamHandle>& stream);
  bool on_event_thread() const { return std::this_thread::get_id() == event_thread_; }

  std::string router() const;
  std::vector<std::string> models() const;

  /// Sends an operator's request and waits for the reply that `take` accepts (true = the last one).
  using Take = std::function<bool(const core::ClientMessage&)>;
  /// How often the request was sent: again at every further router.
  Result<std::uint32_t> operate(std::uint64_t operation, core::ClientMessage request, Take take, std::chrono::milliseconds timeout);
  std::uint64_t next_operation();

 private:
  struct Arrived {
    std::uint64_t connection = 0;
    core::ClientMessage message;
  };
  struct Lost {
    std::uint64_t connection = 0;
    core::Error error;
  };
  struct Begin {
    std::shared_ptr<StreamHandle> stream;
  };
  struct Cancel {
    std::shared_ptr<StreamHandle> stream;
  };
  struct Operation {
    std::uint64_t number = 0;
    core::ClientMessage request;
    Take take;
    Clock::time_point until;
    std::shared_ptr<std::promise<Result<std::uint32_t>>> done;
    Clock::time_point asked = Clock::now();
    bool sent = false;        // on the present connection
    std::uint32_t times = 0;  // sent, on all connections
  };
  using Event = std::variant<Arrived, Lost, Begin, Cancel, Operation>;
  /// What happened at an endpoint last.
  struct Failure {
    std::string reason;
    Code code = Code::unavailable;
  };

  void run();
  /// False: stopping; the event is dropped.
  bool push(Event event);
  bool full() const;
  void handle(Arrived& event);
  void handle(Lost& event);
  void handle(Begin& event);
  void handle(Cancel& event);
  void handle(Operation& event);
  void on(const core::ServerHello& hello);
  void on(const core::Accepted& accepted);
  void on(core::Delta& delta);
  void on(const core::Finished& finished);
  void on(const core::Failed& failed);
  void on_operation(std::uint64_t number, const core::ClientMessage& message);

  void connect_next();
  void leave(Failure failure);
  Error nobody() const;
  void send_all();
  void send(StreamHandle& stream);
  void send(Operation& operation);
  void timers();
  void give_up_unreachable(Clock::time_point present);
  Clock::time_point next_timer() const;
  void give_up(const Error& error);
  void end(const std::shared_ptr<StreamHandle>& stream, Result<Completion> outcome);
  void finish_cancelled(const std::shared_ptr<StreamHandle>& stream);
  std::shared_ptr<StreamHandle> find(core::RequestId id) const;

  ClientOptions options_;

  // Event thread.
  std::vector<Endpoint> endpoints_;
  std::vector<Clock::time_point> avoid_until_;  ///< by endpoint: it said that it drains
  std::vector<Failure> failures_;               ///< by endpoint
  std::size_t endpoint_ = 0;                    ///< present or last
  std::size_t tried_ = 0;                       ///< endpoints since the last success
  std::uint64_t connection_number_ = 0;
  std::unique_ptr<net::ClientConnection> connection_;
  bool connected_ = false;
  std::uint32_t connects_ = 0;
  Clock::time_point connect_at_ = Clock::time_point::max();
  Clock::time_point unavailable_since_{};  ///< while not connected_
  Clock::time_point scan_at_{};
  std::map<core::RequestId, std::shared_ptr<StreamHandle>> streams_;
  std::vector<Operation> operations_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Event> events_;
  std::atomic<bool> stopping_{false};  ///< set under the mutex; the event thread looks at it between events without
  std::string router_;
  std::vector<std::string> models_;
  std::uint64_t operation_ = 0;
  std::optional<std::promise<Result<Done>>> started_;
  std::thread thread_;
  std::thread::id event_thread_;  ///< set before start() returns; thread_ forgets it once it is let go
};

/// Between the library's types and the wire's.
Error to_error(const core::Error& error);
Error to_error(core::Errc code, const std::string& message, core::Duration retry_after);
/// The same length of time for the clock; more than a hundred years count as a hundred, so that no point in time overflows.
core::Duration bounded(std::chrono::milliseconds wait);
Result<core::Submit> to_submit(const Request& request);
Token to_token(const core::TokenOut& token);

}  // namespace spillway::sdk
