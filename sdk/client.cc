#include "sdk/include/spillway/client.h"

#include <algorithm>

#include "core/ids.h"
#include "sdk/session.h"

namespace spillway::sdk {

namespace {

std::string hex16(std::uint64_t value) {
  return core::to_hex({0, value}).substr(16);
}

std::vector<std::string> role_names(std::uint32_t bits) {
  std::vector<std::string> names;
  if ((bits & static_cast<std::uint32_t>(core::Role::router)) != 0) names.emplace_back("router");
  if ((bits & static_cast<std::uint32_t>(core::Role::worker)) != 0) names.emplace_back("worker");
  if ((bits & static_cast<std::uint32_t>(core::Role::gateway)) != 0) names.emplace_back("gateway");
  return names;
}

ClusterStatus to_status(const core::StatusReply& reply) {
  ClusterStatus status;
  std::map<core::NodeId, std::string> names;
  for (const auto& node : reply.nodes) {
    names[core::node_id(node.name)] = node.name;
    status.nodes.push_back({node.name, node.pid, hex16(node.incarnation.value), std::string(core::to_string(node.state)),
                            role_names(node.roles), node.streams, node.queue, node.kv_blocks_used, node.kv_blocks_total,
                            node.tokens_per_second});
  }
  const auto name_of = [&](core::NodeId node) {
    const auto found = names.find(node);
    return found == names.end() ? std::string() : found->second;
  };
  for (const auto& stream : reply.streams) {
    status.streams.push_back({core::to_hex(stream.key.request), stream.tenant, std::string(core::to_string(stream.service_class)),
                              name_of(stream.owner), name_of(stream.node), stream.tokens, stream.moves});
  }
  std::sort(status.nodes.begin(), status.nodes.end(), [](const NodeInfo& a, const NodeInfo& b) { return a.name < b.name; });
  core::NodeCounters::visit(reply.counters,
                            [&](std::string_view name, std::uint64_t value) { status.counters.emplace_back(std::string(name), value); });
  return status;
}

MoveResult to_move(const core::MoveOutcome& outcome) {
  MoveResult result;
  result.committed = outcome.committed;
  result.blocks = outcome.report.blocks;
  result.blocks_sent = outcome.report.blocks_sent;
  result.bytes = outcome.report.page_bytes;
  result.row_bytes = outcome.report.row_bytes;
  result.rows_recomputed = outcome.rows_recomputed;
  result.rows_after_freeze = outcome.report.rows_after_freeze;
  result.steps_during_copy = outcome.report.steps_during_copy;
  result.copy = outcome.report.copy;
  result.pause = outcome.pause;
  return result;
}

DrainProgress to_progress(const core::OperationUpdate& update) {
  return {update.streams_left, update.commits, update.blocks, update.bytes, update.rows_recomputed, update.pause_max, update.text};
}

}  // namespace

// -- Stream ----------------------------------------------------------------------------------------------------------------------

Stream::Stream(std::shared_ptr<StreamHandle> handle) : handle_(std::move(handle)) {}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

std::string Stream::request_id() const {
  return core::to_hex(handle_->id);
}

std::optional<Chunk> Stream::next() {
  const auto session = handle_->session.lock();
  if (handle_->with_callbacks || (session && session->on_event_thread())) return std::nullopt;
  std::unique_lock lock(handle_->mutex);
  handle_->changed.wait(lock, [&] { return !handle_->chunks.empty() || handle_->outcome.has_value(); });
  if (handle_->chunks.empty()) return std::nullopt;
  Chunk chunk = std::move(handle_->chunks.front());
  handle_->chunks.pop_front();
  return chunk;
}

Result<Completion> Stream::wait() {
  const auto session = handle_->session.lock();
  if (session && session->on_event_thread()) return Error{Code::bad_argument, "wait() cannot be called from a callback", {}};
  std::unique_lock lock(handle_->mutex);
  handle_->changed.wait(lock, [&] { return handle_->outcome.has_value(); });
  return *handle_->outcome;
}

void Stream::cancel() {
  if (const auto session = handle_->session.lock()) session->cancel(handle_);
}

// -- Client ----------------------------------------------------------------------------------------------------------------------

struct ClientHandle {
  std::shared_ptr<Session> session;  // its event thread holds it too, and may outlive this
  ~ClientHandle() {
    if (session) session->stop();
  }
};

Client::Client(std::unique_ptr<ClientHandle> handle) : handle_(std::move(handle)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Client> Client::connect(ClientOptions options) {
  if (options.endpoints.empty()) return Error{Code::bad_argument, "no endpoint: give at least one router, as host:port", {}};
  if (options.public_key.empty() != options.secret_key.empty()) {
    return Error{Code::bad_argument, "a key pair has two halves: give public_key and secret_key, or neither", {}};
  }
  auto handle = std::make_unique<ClientHandle>();
  handle->session = std::make_shared<Session>(std::move(options));
  if (auto started = handle->session->start(); !started) return started.error();
  return Client(std::move(handle));
}

Result<Completion> Client::complete(const Request& request) {
  if (handle_->session->on_event_thread()) return Error{Code::bad_argument, "complete() waits, so it cannot be called from a callback", {}};
  // As with callbacks: nobody will ask for the chunks, so none are kept.
  auto started = handle_->session->submit(request, {}, true);
  if (!started) return started.error();
  return Stream(std::move(*started)).wait();
}

Result<Completion> Client::chat(std::vector<Message> messages, Request request) {
  request.messages = std::move(messages);
  return complete(request);
}

Result<Stream> Client::stream(const Request& request) {
  auto handle = handle_->session->submit(request, {}, false);
  if (!handle) return handle.error();
  return Stream(std::move(*handle));
}

Result<Stream> Client::stream(const Request& request, StreamCallbacks callbacks) {
  auto handle = handle_->session->submit(request, std::move(callbacks), true);
  if (!handle) return handle.error();
  return Stream(std::move(*handle));
}

std::string Client::router() const {
  return handle_->session->router();
}
std::vector<std::string> Client::models() const {
  return handle_->session->models();
}

Result<ClusterStatus> Client::status(std::chrono::milliseconds timeout) {
  const auto number = handle_->session->next_operation();
  auto status = std::make_shared<std::optional<Result<ClusterStatus>>>();
  const auto take = [status](const core::ClientMessage& message) {
    if (const auto* reply = std::get_if<core::StatusReply>(&message)) {
      status->emplace(to_status(*reply));
    } else if (const auto* update = std::get_if<core::OperationUpdate>(&message)) {
      status->emplace(to_error(update->code, update->text, update->retry_after));
    }
    return status->has_value();
  };
  if (auto done = handle_->session->operate(number, core::StatusRequest{number}, take, timeout); !done) return done.error();
  return **status;
}

Result<MoveResult> Client::move(const std::string& request_id, const std::string& node, std::chrono::milliseconds timeout) {
  core::RequestId request;
  if (!core::from_hex(request_id, request)) {
    return Error{Code::bad_argument, "request id '" + request_id + "': want 32 hex digits, as in `spillway status`", {}};
  }
  const auto number = handle_->session->next_operation();
  auto last = std::make_shared<core::OperationUpdate>();
  const auto take = [last](const core::ClientMessage& message) {
    if (const auto* update = std::get_if<core::OperationUpdate>(&message)) *last = *update;
    return last->done;
  };
  const auto sent = handle_->session->operate(number, core::MoveRequest{number, request, node}, take, timeout);
  if (!sent) return sent.error();
  MoveResult result = to_move(last->move);
  result.destination = node;
  const bool moved = last->code == core::Errc::ok && last->move.committed;
  if (moved || *sent > 1) {
    const auto cluster = status();
    // The answer has the source's id, and ids are made of names.
    for (const auto& one : cluster ? cluster->nodes : std::vector<NodeInfo>()) {
      if (moved && core::node_id(one.name) == last->move.source) result.source = one.name;
    }
    if (moved) return result;
    // The router that died may have moved the stream and not lived to say so: then the next one refuses to move it to where it is.
    for (const auto& stream : cluster ? cluster->streams : std::vector<StreamInfo>()) {
      if (stream.request_id != core::to_hex(request) || stream.node != node) continue;
      MoveResult before;
      before.committed = true;
      before.destination = node;
      return before;
    }
  }
  if (last->code != core::Errc::ok) return to_error(last->code, last->text, last->retry_after);
  return to_error(last->move.code == core::Errc::ok ? core::Errc::unavailable : last->move.code, last->move.reason, {});
}

Result<DrainProgress> Client::drain(const std::string& node, DrainMode mode, const std::function<void(const DrainProgress&)>& progress,
                                    std::chrono::milliseconds timeout) {
  const auto number = handle_->session->next_operation();
  auto last = std::make_shared<core::OperationUpdate>();
  const auto take = [last, progress](const core::ClientMessage& message) {
    if (const auto* update = std::get_if<core::OperationUpdate>(&message)) {
      *last = *update;
      if (progress) progress(to_progress(*update));
    }
    return last->done;
  };
  const core::DrainRequest request{number, node, static_cast<core::DrainMode>(mode)};
  if (auto done = handle_->session->operate(number, request, take, timeout); !done) return done.error();
  if (last->code != core::Errc::ok) return to_error(last->code, last->text, last->retry_after);
  return to_progress(*last);
}

}  // namespace spillway::sdk
