#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "sched/batcher_core.h"
#include "tests/sched/fake_worker.h"

/// Two batchers with fake workers, owners that keep the rules of epochs, and a cache-manager done by hand, all driven by one seed.
namespace spillway::sched::test {

struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t blocks = 40;  ///< pool of each node
  std::uint32_t step_tokens_max = 24;
  std::uint32_t sequences_max = 12;
  std::uint32_t queue_max = 8;
  std::uint32_t streams = 60;
  std::uint32_t prompt_max = 150;
  std::uint32_t tokens_max = 60;
  bool faults = true;  ///< cancels, deadlines, dead owners, failing workers
  bool moves = true;
  bool groups = false;  ///< models with other KV groups than one of full attention
};

struct WorldCounts {
  std::uint64_t finished = 0, cancelled = 0, expired = 0, refused = 0, returned = 0, orphaned = 0;
  std::uint64_t preemptions = 0, copies = 0, forks = 0, prefix_hit_tokens = 0, mixed_steps = 0;
  std::uint64_t exports = 0, moves = 0, thaws = 0, exports_ended = 0, imports_refused = 0, blocks_held = 0;
  std::uint64_t worker_failures = 0, owner_deaths = 0, replaced = 0, replays = 0, dropped_results = 0, names_told = 0, names_gone = 0;
  std::uint64_t guessed = 0, held = 0, held_moved = 0;
  WorldCounts& operator+=(const WorldCounts& other);
};

class World {
 public:
  explicit World(const WorldOptions& options);
  /// Plays until all streams are over; checks that all ended as they must and that nothing is left behind.
  WorldCounts play();

 private:
  struct Node {
    std::unique_ptr<BatcherCore> core;
    std::unique_ptr<FakeWorker> worker;
    std::optional<core::StepPlan> plan;  // in flight
    std::set<core::BlockName> names;     // as announced
    bool failed = false;
  };
  struct Stream {
    std::shared_ptr<const core::Request> request;
    std::vector<std::vector<core::TokenOut>> expected;
    std::vector<core::ChoiceState> got;
    std::vector<core::BlockName> prompt_names;
    core::NodeId owner;
    Epoch epoch;                  // handed out last and heard
    std::optional<Epoch> moving;  // also heard: of the move's destination
    std::uint32_t node = 0;
    Instant deadline = core::never;
    Instant retry_at = core::never;
    bool over = false;
    bool accepted = false;
    core::Run last_run;
  };
  struct Transfer {
    StreamKey key;
    Epoch epoch, new_epoch;
    std::uint32_t from = 0, to = 0;
    bool freezing = false, frozen = false, reserved_any = false;
    std::vector<ExportBlock> blocks;  // by ordinal, as told last
    std::vector<Page> rows;           // as read
    std::map<std::uint32_t, ImportReserved::Slot> slots;
  };

  // Events.
  void submit();
  void step(std::uint32_t n);
  void send_names(Stream& s);
  void cancel(Stream& s);
  void replay(Stream& s);
  void begin_move(Stream& s);
  void fail_worker(std::uint32_t n);
  void kill_owner(std::uint32_t owner);
  void something();
  void time_passes();

  void run(Stream& s, std::uint32_t node);
  void end(Stream& s);
  bool hears(const Stream& s, const Epoch& epoch) const { return epoch == s.epoch || (s.moving && epoch == *s.moving); }
  Stream* pick_live();

  // What the cores do.
  void perform(std::uint32_t n, BatcherCore::Actions&& actions);
  void receive(std::uint32_t n, const core::Tokens& message);
  void receive(std::uint32_t n, const core::RunAccepted& message);
  void receive(std::uint32_t n, const core::RunRefused& message);
  void receive(std::uint32_t n, const core::RunReturned& message);
  void receive(std::uint32_t n, const core::RunHeld& message);
  void local(std::uint32_t n, const ExportGrown& event);
  void local(std::uint32_t n, const ExportEnded& event);
  void local(std::uint32_t n, const ExportFrozen& event);
  void local(std::uint32_t n, const ImportReserved& event);
  void local(std::uint32_t n, const ImportCommitted& event);
  void read_rows(Transfer& t, const std::vector<ExportBlock>& blocks);
  void reserve(TransferId id, const std::vector<ExportBlock>& blocks, std::uint32_t choices);
  void abort_move(TransferId id, bool new_grant);
  template <class Event>
  void give(std::uint32_t n, const Event& event) {
    BatcherCore::Actions out;
    nodes_[n].core->on(event, now_, out);
    nodes_[n].core->check();
    perform(n, std::move(out));
  }

  WorldOptions options_;
  Random random_;
  Instant now_{std::chrono::seconds(1)};
  std::vector<Node> nodes_;
  std::map<StreamKey, Stream> streams_;
  std::map<TransferId, Transfer> transfers_;
  std::vector<core::Incarnation> owners_;
  std::uint64_t next_counter_ = 1;
  std::uint64_t next_transfer_ = 1;
  std::uint64_t next_request_ = 1;
  std::uint64_t last_release_ = 0;
  WorldCounts counts_;
};

}  // namespace spillway::sched::test
