#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "sched/link_core.h"
#include "tests/sched/fake_worker.h"

/// Two ends of a link over a pipe that loses, repeats, reorders, delays, cuts off and replays from the past; ends that restart.
namespace spillway::sched::test {

struct LinkOptions {
  std::uint64_t seed = 1;
  std::uint32_t loss_percent = 5;
  std::uint32_t repeat_percent = 5;
  core::Duration delay_max{std::chrono::milliseconds(8)};
  bool partitions = true;
  bool restarts = true;
  bool replays = true;
  core::Duration length{std::chrono::seconds(12)};
  LinkLimits limits{};
};

struct LinkCounts {
  std::uint64_t sent = 0, delivered = 0, dropped_down = 0, bulk_sent = 0, bulk_delivered = 0;
  std::uint64_t ups = 0, downs = 0, restarts = 0, partitions = 0, replays = 0, lost = 0, repeated = 0, suspects = 0, resent = 0;
  LinkCounts& operator+=(const LinkCounts& other);
};

class LinkWorld {
 public:
  explicit LinkWorld(const LinkOptions& options);
  LinkCounts play();

 private:
  /// Messages one end sent on a lane between a PeerUp and the PeerDown after it.
  struct Life {
    std::vector<std::uint64_t> sent[2];
    int heard_by = -1;  // number of the other end's session that got them
  };
  struct End {
    std::unique_ptr<LinkCore> core;
    core::Incarnation incarnation;
    std::optional<core::Incarnation> up;  // PeerUp told and no PeerDown since
    core::Incarnation latest_met;         // incarnations only grow in this test
    int session = -1;                     // counts PeerUps of this end over all its incarnations
    std::vector<Life> lives;              // by session of this end
    std::optional<int> hears_life;        // of the other end, in this session
    std::size_t heard[2] = {0, 0};
    std::uint64_t in_flight_told = 0;
    std::vector<std::uint64_t> to_consume;
  };
  struct Packet {
    std::size_t to = 0;
    core::Envelope envelope;
  };

  void start(std::size_t side);
  void restart(std::size_t side);
  void tick_all();
  void something();
  void send(std::size_t side, core::Lane lane);
  void perform(std::size_t side, LinkCore::Actions&& actions);
  void transmit(std::size_t side, core::Envelope&& envelope);
  void deliver(std::size_t side, const LinkCore::Deliver& event);
  void arrive(Packet&& packet);
  void check_end();

  LinkOptions options_;
  Random random_;
  core::Instant now_{std::chrono::seconds(5)};
  End ends_[2];
  std::multimap<core::Instant, Packet> pipe_;
  std::vector<Packet> past_;
  bool cut_[2] = {false, false};
  core::Instant heal_at_{};
  bool healed_ = false;
  std::uint64_t next_serial_ = 1;
  std::uint64_t next_incarnation_ = 100;
  std::map<std::uint64_t, std::pair<int, std::size_t>> origin_;  // serial -> (life of the sender, side)
  std::set<std::pair<std::uint64_t, std::uint64_t>> sequences_seen_;
  LinkCounts counts_;
};

}  // namespace spillway::sched::test
