#include "sdk/session.h"

#include <algorithm>
#include <utility>

#include "core/digest.h"

namespace spillway::sdk {

namespace {

constexpr auto reconnect_pause = std::chrono::milliseconds(50);  // between two rounds over all endpoints
constexpr auto avoid_for = std::chrono::seconds(2);              // a draining router is asked again after this
constexpr auto scan_interval = std::chrono::milliseconds(10);
constexpr auto cancel_wait = std::chrono::seconds(1);  // for the router's answer to a cancel
constexpr std::size_t events_max = 4096;               // waiting for a callback to return; then the connection is not read
constexpr std::size_t chunks_max = 256;                // of one stream waiting for next(); then those of a choice are joined

Error closed() {
  return {Code::cancelled, "the client was closed", {}};
}

/// Wrong keys and versions will not mend themselves.
bool is_final(Code code) {
  return code == Code::unauthorized || code == Code::incompatible || code == Code::bad_argument;
}

/// For next(). Who does not ask for them gets fewer and longer ones: what waits then takes about the room of the result itself.
void keep(std::deque<Chunk>& chunks, Chunk&& chunk) {
  const auto same = [&](const Chunk& other) { return other.choice == chunk.choice; };
  const auto last = chunks.size() < chunks_max ? chunks.rend() : std::find_if(chunks.rbegin(), chunks.rend(), same);
  if (last == chunks.rend()) {
    chunks.push_back(std::move(chunk));
    return;
  }
  last->tokens.insert(last->tokens.end(), chunk.tokens.begin(), chunk.tokens.end());
  last->text += chunk.text;
  last->finish_reason = std::move(chunk.finish_reason);
}

std::string with_scheme(const std::string& address) {
  return address.find("://") == std::string::npos ? "tcp://" + address : address;
}

}  // namespace

Session::Session(ClientOptions options) : options_(std::move(options)) {
  for (auto endpoint : options_.endpoints) {
    endpoint.address = with_scheme(endpoint.address);
    endpoints_.push_back(std::move(endpoint));
  }
  avoid_until_.resize(endpoints_.size());
  failures_.resize(endpoints_.size());
}

Session::~Session() {
  stop();
}

Result<Done> Session::start() {
  started_.emplace();
  auto done = started_->get_future();
  connect_at_ = Clock::now();
  unavailable_since_ = connect_at_;
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
  return done.get();
}

void Session::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  wake_.notify_all();
  if (!thread_.joinable()) return;
  if (on_event_thread()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

bool Session::push(Event event) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    events_.push_back(std::move(event));
  }
  wake_.notify_one();
  return true;
}

bool Session::full() const {
  const std::lock_guard lock(mutex_);
  return events_.size() >= events_max;
}

void Session::run() {
  event_thread_ = std::this_thread::get_id();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto due = next_timer();
    if (events_.empty() && due > Clock::now()) {
      if (due == Clock::time_point::max()) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, due);
      }
    }
    std::deque<Event> events;
    events.swap(events_);
    lock.unlock();
    // A callback may destroy the client: what stands behind it in the batch is not heard any more.
    for (; !events.empty() && !stopping_; events.pop_front()) std::visit([this](auto& e) { handle(e); }, events.front());
    if (!stopping_) timers();
    lock.lock();
    events_.insert(events_.begin(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  }
  // Nothing is pushed any more. What nobody took up yet ends like the rest: somebody may wait for it.
  std::deque<Event> left;
  left.swap(events_);
  lock.unlock();
  connection_.reset();
  give_up(closed());
  for (auto& event : left) {
    if (const auto* begin = std::get_if<Begin>(&event)) end(begin->stream, closed());
    if (const auto* operation = std::get_if<Operation>(&event)) operation->done->set_value(closed());
  }
}

// -- Connection ------------------------------------------------------------------------------------------------------------------

void Session::connect_next() {
  connect_at_ = Clock::time_point::max();
  const auto present = Clock::now();
  // Every endpoint in turn, the draining ones only when there is no other.
  std::size_t next = endpoint_;
  for (std::size_t step = connects_ == 0 && tried_ == 0 ? 0 : 1; step <= endpoints_.size(); ++step) {
    next = (endpoint_ + step) % endpoints_.size();
    if (avoid_until_[next] <= present) break;
  }
  endpoint_ = next;
  ++tried_;
  net::ClientConnectionOptions options;
  options.endpoint = endpoints_[endpoint_].address;
  options.server_key = endpoints_[endpoint_].server_key;
  options.keys = {options_.public_key, options_.secret_key};
  options.hello.client = {core::random_u64()};
  options.hello.tenant = options_.tenant;
  options.hello.token = options_.token;
  options.connect_max = bounded(options_.connect_timeout);
  options.silence_max = bounded(options_.silence_max);
  const std::uint64_t number = ++connection_number_;
  net::ClientConnection::Callbacks callbacks;
  callbacks.on_message = [this, number](core::ClientMessage&& message) { push(Arrived{number, std::move(message)}); };
  callbacks.on_gone = [this, number](const core::Error& error) { push(Lost{number, error}); };
  callbacks.full = [this] { return full(); };
  auto made = net::connect_client(std::move(options), std::move(callbacks));
  if (made) {
    connection_ = std::move(*made);
  } else {
    push(Lost{number, made.error()});
  }
}

void Session::handle(Lost& event) {
  if (event.connection != connection_number_) return;
  leave({event.error.message, to_error(event.error).code});
}

/// What to tell of a round in which no endpoint answered.
Error Session::nobody() const {
  const bool all_final = std::all_of(failures_.begin(), failures_.end(), [](const Failure& failure) { return is_final(failure.code); });
  if (all_final && failures_.size() == 1) return {failures_.front().code, failures_.front().reason, {}};
  std::string text = all_final ? "no router takes this client:" : "no router answered:";
  for (std::size_t i = 0; i < endpoints_.size(); ++i) text += " " + endpoints_[i].address + " (" + failures_[i].reason + ")";
  if (all_final) return {failures_.front().code, text, {}};
  return {Code::unavailable, text, std::chrono::milliseconds(1000)};
}

/// Drops the connection and plans the next one. Requests and questions are sent again there.
void Session::leave(Failure failure) {
  failures_[endpoint_] = std::move(failure);
  ++connection_number_;  // whatever the old one still says is not heard
  connection_.reset();
  if (connected_) {
    tried_ = 0;
    unavailable_since_ = Clock::now();
  }
  connected_ = false;
  {
    const std::lock_guard lock(mutex_);
    router_.clear();
  }
  for (auto& [id, stream] : streams_) stream->sent = false;
  for (auto& operation : operations_) operation.sent = false;
  const bool round_over = tried_ >= endpoints_.size();
  if (round_over) tried_ = 0;
  if (round_over && started_) return give_up(nobody());
  connect_at_ = Clock::now() + (round_over ? reconnect_pause : std::chrono::milliseconds(0));
}

void Session::on(const core::ServerHello& hello) {
  connected_ = true;
  tried_ = 0;
  ++connects_;
  {
    const std::lock_guard lock(mutex_);
    router_ = hello.node;
    models_ = hello.models;
  }
  // Routers that were not on the list are taken as further chances; with CURVE their keys would be missing.
  if (endpoints_[endpoint_].server_key.empty()) {
    for (const auto& address : hello.routers) {
      const auto full = with_scheme(address);
      const bool known = std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& e) { return e.address == full; });
      if (known) continue;
      endpoints_.push_back({full, ""});
      avoid_until_.emplace_back();
      failures_.emplace_back();
    }
  }
  if (started_) {
    started_->set_value(Done{});
    started_.reset();
  }
  send_all();
}

void Session::handle(Arrived& event) {
  if (event.connection != connection_number_) return;
  std::visit(
      [this, &event](auto& message) {
        using M = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<M, core::StatusReply> || std::is_same_v<M, core::OperationUpdate>) {
          on_operation(message.operation, event.message);
        } else if constexpr (requires { this->on(message); }) {
          this->on(message);
        }
      },
      event.message);
}

// -- Requests --------------------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<StreamHandle>> Session::submit(const Request& request, StreamCallbacks callbacks, bool with_callbacks) {
  auto submit = to_submit(request);
  if (!submit) return submit.error();
  auto stream = std::make_shared<StreamHandle>();
  stream->id = submit->request;
  stream->session = weak_from_this();
  stream->callbacks = std::move(callbacks);
  stream->with_callbacks = with_callbacks;
  stream->submit = std::move(*submit);
  stream->timeout = request.timeout;
  stream->result.request_id = core::to_hex(stream->id);
  stream->result.choices.resize(request.n);
  for (std::uint32_t i = 0; i < request.n; ++i) stream->result.choices[i].index = i;
  stream->received.resize(request.n);
  stream->started = stream->last_arrival = Clock::now();
  if (!push(Begin{stream})) return closed();
  return stream;
}

void Session::cancel(const std::shared_ptr<StreamHandle>& stream) {
  push(Cancel{stream});
}

void Session::handle(Begin& event) {
  if (streams_.count(event.stream->id) != 0) {
    return end(event.stream,
               Error{Code::already_exists, "request " + event.stream->result.request_id + " is running in this client already", {}});
  }
  streams_.emplace(event.stream->id, event.stream);
  if (connected_) send(*event.stream);
}

void Session::handle(Cancel& event) {
  const auto stream = find(event.stream->id);
  if (stream != event.stream || stream->cancel_by) return;
  stream->cancel_by = Clock::now() + cancel_wait;
  if (connected_ && connection_->send(core::ClientCancel{stream->id})) return;
  finish_cancelled(stream);
}

void Session::send_all() {
  for (auto& [id, stream] : streams_) send(*stream);
  for (auto& operation : operations_) {
    if (!operation.sent) send(operation);
  }
}

void Session::send(Operation& operation) {
  operation.sent = connection_->send(operation.request);
  if (operation.sent) ++operation.times;
}

void Session::send(StreamHandle& stream) {
  core::Submit submit = stream.submit;
  stream.retry_at = Clock::time_point::max();
  if (stream.accepted) {
    submit.resumed = true;
    submit.resume = {stream.accepted->seed, stream.accepted->weights_digest, stream.accepted->numerics_id, stream.received};
    if (submit.kind == core::PromptKind::chat && !stream.result.prompt_tokens.empty()) {
      // A chat template may tell the date: the conversation stays the prompt that it was.
      submit.kind = core::PromptKind::tokens;
      submit.tokens = stream.result.prompt_tokens;
      submit.messages.clear();
    }
  }
  if (submit.deadline > core::Duration{0}) {
    submit.deadline -= std::min<core::Duration>(submit.deadline - core::Duration{1}, Clock::now() - stream.started);
  }
  const bool again = stream.accepted && !stream.sent;
  stream.sent = connection_->send(std::move(submit));
  if (!stream.sent) stream.retry_at = Clock::now() + reconnect_pause;  // the connection's queue is full, or it is gone
  if (stream.sent && again) ++stream.result.reconnects;
}

void Session::on(const core::Accepted& accepted) {
  const auto stream = find(accepted.request);
  if (!stream) return;
  stream->accepted = accepted;
  stream->result.seed = accepted.seed;
  stream->result.numerics_id = accepted.numerics_id;
  stream->result.isa = accepted.isa;
  if (!accepted.prompt.empty()) stream->result.prompt_tokens = accepted.prompt.vector();
  if (!accepted.rungs.empty()) {
    stream->result.rungs = accepted.rungs;
    stream->result.pressure = std::string(core::to_string(accepted.pressure));
  }
  if (!accepted.model.empty()) stream->result.model = stream->submit.model = accepted.model;
  if (accepted.tokens_max != 0) stream->submit.tokens_max = accepted.tokens_max;  // for a re-submission
}

void Session::on(core::Delta& delta) {
  const auto stream = find(delta.request);
  if (!stream || delta.choice >= stream->received.size()) return;
  auto& received = stream->received[delta.choice];
  if (received.finish != core::FinishReason::none) return;
  if (delta.first_index != received.tokens.size()) {
    // A router never leaves a gap; if one does, its word is worth nothing: go on elsewhere from what is there.
    return leave({"tokens of request " + stream->result.request_id + " arrived out of order", Code::unavailable});
  }
  const auto present = Clock::now();
  if (!delta.tokens.empty()) {
    if (stream->result.time_to_first_token.count() == 0) {
      stream->result.time_to_first_token = present - stream->started;
    } else {
      stream->result.longest_gap = std::max<std::chrono::nanoseconds>(stream->result.longest_gap, present - stream->last_arrival);
    }
    stream->last_arrival = present;
  }
  Chunk chunk{delta.choice, {}, std::move(delta.text), {}};
  auto& choice = stream->result.choices[delta.choice];
  for (const auto& token : delta.tokens) {
    if (token.is_end) continue;
    received.tokens.push_back(token.token);
    chunk.tokens.push_back(to_token(token));
    choice.tokens.push_back(chunk.tokens.back());
  }
  choice.text += chunk.text;
  if (delta.finish != core::FinishReason::none) {
    received.finish = delta.finish;
    choice.finish_reason = chunk.finish_reason = std::string(core::to_string(delta.finish));
  }
  if (stream->with_callbacks) {
    if (stream->callbacks.on_chunk) stream->callbacks.on_chunk(chunk);
    return;
  }
  const std::lock_guard lock(stream->mutex);
  keep(stream->chunks, std::move(chunk));
  stream->changed.notify_all();
}

void Session::on(const core::Finished& finished) {
  const auto stream = find(finished.request);
  if (!stream) return;
  Completion& result = stream->result;
  result.usage = {finished.prompt_tokens, 0, finished.cached_tokens};
  for (const auto& choice : result.choices) result.usage.completion_tokens += static_cast<std::uint32_t>(choice.tokens.size());
  result.moves = finished.moves;
  result.restarts = finished.restarts;
  end(stream, result);
}

void Session::on(const core::Failed& failed) {
  const auto stream = find(failed.request);
  if (!stream) return;
  if (stream->cancel_by && failed.code == core::Errc::cancelled) return finish_cancelled(stream);
  const auto present = Clock::now();
  const bool in_time = present < stream->last_arrival + bounded(options_.unavailable_max);
  if (failed.code == core::Errc::draining && in_time) {
    avoid_until_[endpoint_] = present + avoid_for;
    // Where all of them drain, going round would only go on for ever.
    if (std::any_of(avoid_until_.begin(), avoid_until_.end(), [&](auto until) { return until <= present; })) {
      return leave({failed.reason, Code::draining});
    }
  }
  const bool passing =
      failed.code == core::Errc::unavailable || failed.code == core::Errc::queue_full || failed.code == core::Errc::draining;
  if (stream->accepted && passing && in_time) {
    // It ran before, so it is not refused for a moment's lack of room.
    stream->retry_at = present + std::max(bounded(std::chrono::duration_cast<std::chrono::milliseconds>(failed.retry_after)),
                                          core::Duration(reconnect_pause));
    return;
  }
  end(stream, to_error(failed.code, failed.reason, failed.retry_after));
}

void Session::finish_cancelled(const std::shared_ptr<StreamHandle>& stream) {
  for (auto& choice : stream->result.choices) {
    if (choice.finish_reason.empty()) choice.finish_reason = "cancelled";
    stream->result.usage.completion_tokens += static_cast<std::uint32_t>(choice.tokens.size());
  }
  stream->result.usage.prompt_tokens = static_cast<std::uint32_t>(stream->result.prompt_tokens.size());
  end(stream, stream->result);
}

void Session::end(const std::shared_ptr<StreamHandle>& stream, Result<Completion> outcome) {
  std::shared_ptr<StreamHandle> kept;  // `stream` may live in the map alone
  kept = stream;
  const auto found = streams_.find(kept->id);
  if (found != streams_.end() && found->second == kept) streams_.erase(found);
  if (outcome) outcome->total = Clock::now() - kept->started;
  {
    // Gone before anybody who waits hears of the end: then nothing uses what they captured.
    const auto callbacks = std::exchange(kept->callbacks, {});
    if (callbacks.on_end) callbacks.on_end(outcome);
  }
  const std::lock_guard lock(kept->mutex);
  kept->outcome.emplace(std::move(outcome));
  kept->changed.notify_all();
}

std::shared_ptr<StreamHandle> Session::find(core::RequestId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

// -- Operations ------------------------------------------------------------------------------------------------------------------

std::uint64_t Session::next_operation() {
  const std::lock_guard lock(mutex_);
  if (operation_ == 0) operation_ = core::random_u64() >> 1;
  return ++operation_;
}

Result<std::uint32_t> Session::operate(std::uint64_t operation, core::ClientMessage request, Take take, std::chrono::milliseconds timeout) {
  if (on_event_thread()) return Error{Code::bad_argument, "this call waits, so it cannot be made from a callback", {}};
  auto done = std::make_shared<std::promise<Result<std::uint32_t>>>();
  auto future = done->get_future();
  if (!push(Operation{operation, std::move(request), std::move(take), Clock::now() + bounded(timeout), done})) return closed();
  return future.get();
}

void Session::handle(Operation& event) {
  operations_.push_back(std::move(event));
  if (connected_) send(operations_.back());
}

void Session::on_operation(std::uint64_t number, const core::ClientMessage& message) {
  for (auto it = operations_.begin(); it != operations_.end(); ++it) {
    if (it->number != number) continue;
    if (!it->take(message)) return;
    const auto done = it->done;
    const std::uint32_t times = it->times;
    operations_.erase(it);
    return done->set_value(times);
  }
}

// -- Time ------------------------------------------------------------------------------------------------------------------------

Clock::time_point Session::next_timer() const {
  const bool waiting = !streams_.empty() || !operations_.empty();
  return waiting ? std::min(connect_at_, scan_at_) : connect_at_;
}

void Session::timers() {
  const auto present = Clock::now();
  if (present >= connect_at_) connect_next();
  // Time limits are looked at every few milliseconds, not for every token of a thousand streams.
  if (present < scan_at_) return;
  scan_at_ = present + scan_interval;
  if (!connected_) give_up_unreachable(present);
  std::vector<std::shared_ptr<StreamHandle>> all;
  for (const auto& [id, stream] : streams_) all.push_back(stream);
  for (const auto& stream : all) {
    if (stream->cancel_by && present >= *stream->cancel_by) {
      // Said once more: the router that heard it may be gone, and the next one was given the request again.
      if (connected_) connection_->send(core::ClientCancel{stream->id});
      finish_cancelled(stream);
    } else if (stream->timeout.count() > 0 && present >= stream->started + bounded(stream->timeout)) {
      if (connected_) connection_->send(core::ClientCancel{stream->id});
      end(stream,
          Error{Code::timeout, "the request took longer than its time-out of " + std::to_string(stream->timeout.count()) + " ms", {}});
    } else if (present >= stream->retry_at) {
      stream->retry_at = Clock::time_point::max();
      if (connected_) send(*stream);
    }
  }
  for (std::size_t i = 0; i < operations_.size();) {
    if (present < operations_[i].until) {
      ++i;
      continue;
    }
    const auto done = operations_[i].done;
    operations_.erase(operations_.begin() + static_cast<std::ptrdiff_t>(i));
    done->set_value(Error{Code::timeout, "the cluster did not answer in time", {}});
  }
}

/// Ends what has waited for a router for too long; its time begins when it was asked, not before.
void Session::give_up_unreachable(Clock::time_point present) {
  const auto over = [&](Clock::time_point asked) {
    return present >= std::max(asked, unavailable_since_) + bounded(options_.unavailable_max);
  };
  const Error error{Code::unavailable,
                    "no router could be had for " + std::to_string(options_.unavailable_max.count()) +
                        " ms; the last said: " + failures_[endpoint_].reason,
                    std::chrono::milliseconds(1000)};
  std::vector<std::shared_ptr<StreamHandle>> lost;
  for (const auto& [id, stream] : streams_) {
    if (over(stream->started)) lost.push_back(stream);
  }
  for (const auto& stream : lost) end(stream, error);
  for (auto it = operations_.begin(); it != operations_.end();) {
    if (!over(it->asked)) {
      ++it;
      continue;
    }
    const auto done = it->done;
    it = operations_.erase(it);
    done->set_value(error);
  }
}

/// Ends all that waits.
void Session::give_up(const Error& error) {
  if (started_) {
    started_->set_value(error);
    started_.reset();
    connect_at_ = Clock::time_point::max();
  }
  auto streams = std::move(streams_);
  streams_.clear();
  for (auto& [id, stream] : streams) end(stream, error);
  auto operations = std::move(operations_);
  operations_.clear();
  for (auto& operation : operations) operation.done->set_value(error);
}

std::string Session::router() const {
  const std::lock_guard lock(mutex_);
  return router_;
}

std::vector<std::string> Session::models() const {
  const std::lock_guard lock(mutex_);
  return models_;
}

}  // namespace spillway::sdk
