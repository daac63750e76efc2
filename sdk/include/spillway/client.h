#pragma once

#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "export.h"
#include "request.h"

/// Client library of a Spillway cluster. Links to nothing but libspillway.so; the headers need nothing but the standard library.
///
/// Threads. A Client owns one event thread. Any method of Client and Stream may be called from any thread. Callbacks run on the
/// event thread, one at a time; a slow callback delays all streams of its client. From inside a callback every method may be
/// called except those that wait (complete, chat, Stream::next, Stream::wait, status, move, drain): those return
/// Code::bad_argument at once instead of waiting for themselves.
///
/// The end. Destroying a Client ends what still runs with Code::cancelled (on_end is called, wait() returns) and waits for the
/// event thread, so no callback comes after it. Inside a callback the Client may be destroyed too: then nothing is waited for. The
/// event thread finishes that callback, calls on_end of the streams that still ran, and ends; what those callbacks use must live
/// until then, and no Stream of this Client waits any longer than that.
///
/// Fail-over. A Client talks to one router at a time. When that router dies, drains or falls silent, the client goes to the next
/// one on its list and submits every running request again with the tokens it has; the text goes on where it stopped, with the
/// same bytes.
namespace spillway::sdk {

/// A router's client port.
struct Endpoint {
  std::string address;     ///< "127.0.0.1:7403" or "tcp://10.0.0.7:7403"
  std::string server_key;  ///< its CURVE public key (40 characters of Z85); "" = not encrypted (loopback only)
};

struct ClientOptions {
  std::vector<Endpoint> endpoints;  ///< at least one; tried in this order
  std::string tenant;               ///< "" = the first this client may use
  std::string token;                ///< bearer token, where the cluster asks for one
  std::string public_key;           ///< CURVE key pair of this client, where the cluster asks for one
  std::string secret_key;
  std::chrono::milliseconds connect_timeout{2000};   ///< for one router
  std::chrono::milliseconds silence_max{1500};       ///< a router that is silent for longer is left
  std::chrono::milliseconds unavailable_max{30000};  ///< a request that waits for a router for so long fails
};

struct NodeInfo {
  std::string name;
  std::uint32_t pid = 0;
  std::string incarnation;  ///< 16 hex digits
  std::string state;        ///< up, suspect, draining, down
  std::vector<std::string> roles;
  std::uint32_t streams = 0;
  std::uint32_t queue = 0;
  std::uint32_t kv_blocks_used = 0;
  std::uint32_t kv_blocks_total = 0;
  std::uint32_t tokens_per_second = 0;
};

struct StreamInfo {
  std::string request_id;
  std::string tenant;
  std::string service_class;
  std::string owner;  ///< node that owns it; "" = not known
  std::string node;   ///< node that runs it; "" = waiting
  std::uint64_t tokens = 0;
  std::uint32_t moves = 0;
};

struct ClusterStatus {
  std::vector<NodeInfo> nodes;  ///< by name
  std::vector<StreamInfo> streams;
  std::vector<std::pair<std::string, std::uint64_t>> counters;  ///< by name, summed over the nodes
};

/// What a move carried.
struct MoveResult {
  bool committed = false;
  std::string source;  ///< "" = not known
  std::string destination;
  std::uint32_t blocks = 0;       ///< held by the stream
  std::uint32_t blocks_sent = 0;  ///< of these carried; the destination had the others already
  std::uint64_t bytes = 0;        ///< of the blocks carried
  std::uint64_t row_bytes = 0;
  std::uint32_t rows_recomputed = 0;
  std::uint32_t rows_after_freeze = 0;
  std::uint32_t steps_during_copy = 0;
  std::chrono::nanoseconds copy{0};
  std::chrono::nanoseconds pause{0};  ///< between the last token there and the first one here, at the owner
};

enum class DrainMode : std::uint8_t { begin = 0, resume = 1, stop = 2 };

struct DrainProgress {
  std::uint32_t streams_left = 0;
  std::uint32_t commits = 0;
  std::uint64_t blocks = 0;               ///< carried
  std::uint64_t bytes = 0;                ///< of these
  std::uint32_t rows_recomputed = 0;      ///< of the streams that the asked router owns
  std::chrono::nanoseconds pause_max{0};  ///< of the streams that the asked router owns
  std::string text;
};

struct StreamHandle;
struct ClientHandle;

/// A running request. Movable handle; dropping it does not cancel the request.
class SPILLWAY_API Stream {
 public:
  explicit Stream(std::shared_ptr<StreamHandle> handle);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  /// 32 hex digits.
  std::string request_id() const;
  /// The next chunk; nothing at the end (then `wait` has the outcome). Blocks. Not for streams with callbacks.
  /// Chunks that wait here for long are joined, so that what nobody asks for takes little more room than the outcome does.
  std::optional<Chunk> next();
  /// Waits for the end. With callbacks: until on_end has returned too, so that none of them comes after wait().
  Result<Completion> wait();
  void cancel();

  /// for (const Chunk& chunk : stream) ...
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Chunk;
    using difference_type = std::ptrdiff_t;
    using pointer = const Chunk*;
    using reference = const Chunk&;
    iterator() = default;
    explicit iterator(Stream* stream) : stream_(stream) { ++*this; }
    reference operator*() const { return *chunk_; }
    pointer operator->() const { return &*chunk_; }
    iterator& operator++() {
      chunk_ = stream_->next();
      if (!chunk_) stream_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& a, const iterator& b) { return a.stream_ == b.stream_; }
    friend bool operator!=(const iterator& a, const iterator& b) { return !(a == b); }

   private:
    Stream* stream_ = nullptr;
    std::optional<Chunk> chunk_;
  };
  iterator begin() { return iterator(this); }
  iterator end() { return iterator(); }

 private:
  std::shared_ptr<StreamHandle> handle_;
};

/// Callbacks of one stream; either may be empty.
struct StreamCallbacks {
  std::function<void(const Chunk&)> on_chunk;
  std::function<void(const Result<Completion>&)> on_end;  ///< once
};

class SPILLWAY_API Client {
 public:
  /// Checks the options and connects to the first router that answers. Error: bad_argument; unauthorized or incompatible when
  /// every endpoint refuses this client for good; else unavailable. It names every endpoint with what happened there.
  static Result<Client> connect(ClientOptions options);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Waits for the whole answer.
  Result<Completion> complete(const Request& request);
  /// The same for a conversation.
  Result<Completion> chat(std::vector<Message> messages, Request request = {});
  /// Starts and returns at once; read it with range-for, next or wait.
  Result<Stream> stream(const Request& request);
  /// Starts with callbacks.
  Result<Stream> stream(const Request& request, StreamCallbacks callbacks);

  /// Name of the router spoken to, "" while there is none.
  std::string router() const;
  std::vector<std::string> models() const;

  // For operators.
  Result<ClusterStatus> status(std::chrono::milliseconds timeout = std::chrono::milliseconds(5000));
  /// Carries a running request to another node and waits for the end of the move. When the router dies meanwhile the next one is
  /// asked; where the first had committed the move already, nothing is known but that: `committed` is set and all figures are 0.
  Result<MoveResult> move(const std::string& request_id, const std::string& node,
                          std::chrono::milliseconds timeout = std::chrono::milliseconds(60000));
  /// Empties a node (or lets it take work again) and waits for the end. `progress` is called on the event thread.
  Result<DrainProgress> drain(const std::string& node, DrainMode mode = DrainMode::begin,
                              const std::function<void(const DrainProgress&)>& progress = {},
                              std::chrono::milliseconds timeout = std::chrono::milliseconds(60000));

 private:
  explicit Client(std::unique_ptr<ClientHandle> handle);
  std::unique_ptr<ClientHandle> handle_;
};

}  // namespace spillway::sdk
