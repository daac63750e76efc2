#include "tests/sched/link_world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace spillway::sched::test {

using namespace std::chrono_literals;
using core::Lane;

namespace {

void must(bool holds, const char* rule) {
  if (!holds) BOOST_FAIL(rule);
}

core::MessagePtr message_of(Lane lane, std::uint64_t serial) {
  if (lane == Lane::control) return core::make_message(core::CancelRun{.key = {}, .epoch = {{1}, serial}});
  if (lane == Lane::token) return core::make_message(core::AskOwner{.key = {}, .epoch = {{1}, serial}, .new_epoch = {}, .replica = {}});
  core::PageFrame frame;
  frame.transfer = {serial};
  frame.data_bytes = 1000 + static_cast<std::uint32_t>(serial % 3000);
  return core::make_message(std::move(frame));
}

std::uint64_t serial_of(const core::Message& message) {
  if (const auto* cancel = std::get_if<core::CancelRun>(&message)) return cancel->epoch.counter;
  if (const auto* ask = std::get_if<core::AskOwner>(&message)) return ask->epoch.counter;
  return std::get<core::PageFrame>(message).transfer.value;
}

}  // namespace

LinkCounts& LinkCounts::operator+=(const LinkCounts& o) {
  sent += o.sent, delivered += o.delivered, dropped_down += o.dropped_down, bulk_sent += o.bulk_sent, bulk_delivered += o.bulk_delivered;
  ups += o.ups, downs += o.downs, restarts += o.restarts, partitions += o.partitions, replays += o.replays, lost += o.lost;
  repeated += o.repeated, suspects += o.suspects, resent += o.resent;
  return *this;
}

LinkWorld::LinkWorld(const LinkOptions& options) : options_(options), random_(options.seed) {
  start(0);
  start(1);
}

void LinkWorld::start(std::size_t side) {
  auto& end = ends_[side];
  end.incarnation = {next_incarnation_++};
  end.up.reset();
  end.latest_met = {};
  end.to_consume.clear();
  end.in_flight_told = 0;
  end.core = std::make_unique<LinkCore>(core::NodeId{side + 1}, end.incarnation, core::NodeId{2 - side}, core::Hello{}, options_.limits,
                                        random_.next());
}

void LinkWorld::restart(std::size_t side) {
  ++counts_.restarts;
  ends_[side].hears_life.reset();
  start(side);
}

void LinkWorld::send(std::size_t side, Lane lane) {
  auto& end = ends_[side];
  const auto serial = next_serial_++;
  LinkCore::Actions out;
  const bool was_up = end.core->up();
  const bool taken = end.core->send(message_of(lane, serial), now_, out);
  must(taken ? was_up : true, "nothing is taken while the peer is down");
  if (!taken) {
    ++counts_.dropped_down;
  } else if (lane == Lane::bulk) {
    ++counts_.bulk_sent;
  } else {
    ++counts_.sent;
    end.lives.back().sent[static_cast<std::size_t>(lane)].push_back(serial);
    origin_[serial] = {end.session, side};
  }
  must(end.core->unacked() <= 2 * options_.limits.unacked_messages_max, "what waits for an acknowledgement is bounded");
  perform(side, std::move(out));
}

void LinkWorld::transmit(std::size_t side, core::Envelope&& envelope) {
  Packet packet{1 - side, std::move(envelope)};
  must(packet.envelope.incarnation == ends_[side].incarnation, "an envelope says who sends it");
  const auto& e = packet.envelope;
  if (e.kind == core::EnvelopeKind::data && e.lane != Lane::bulk &&
      !sequences_seen_.emplace(e.session * 4 + static_cast<std::uint64_t>(e.lane), e.sequence).second)
    ++counts_.resent;
  if (past_.size() < 4000) past_.push_back(packet);
  if (cut_[side] || random_.below(100) < (healed_ ? 0 : options_.loss_percent)) {
    ++counts_.lost;
    return;
  }
  const auto delay = [&] {
    return 100us + core::Duration(static_cast<std::int64_t>(random_.next() % static_cast<std::uint64_t>(options_.delay_max.count())));
  };
  if (!healed_ && random_.below(100) < options_.repeat_percent) {
    ++counts_.repeated;
    pipe_.emplace(now_ + delay() * 3, packet);
  }
  pipe_.emplace(now_ + delay(), std::move(packet));
}

void LinkWorld::perform(std::size_t side, LinkCore::Actions&& actions) {
  auto& end = ends_[side];
  for (auto& action : actions) {
    if (auto* t = std::get_if<LinkCore::Transmit>(&action)) {
      transmit(side, std::move(t->envelope));
    } else if (auto* d = std::get_if<LinkCore::Deliver>(&action)) {
      deliver(side, *d);
    } else if (auto* up = std::get_if<LinkCore::PeerUp>(&action)) {
      ++counts_.ups;
      must(!end.up, "PeerUp comes after PeerDown");
      must(up->incarnation >= end.latest_met, "a peer that was replaced never comes back");
      end.up = end.latest_met = up->incarnation;
      ++end.session;
      must(end.session == static_cast<int>(end.lives.size()), "one life for each PeerUp");
      end.lives.emplace_back();
      end.hears_life.reset();
      end.heard[0] = end.heard[1] = 0;
      end.in_flight_told = 0;
    } else if (auto* down = std::get_if<LinkCore::PeerDown>(&action)) {
      ++counts_.downs;
      must(end.up && *end.up == down->incarnation && !down->reason.empty(), "PeerDown once for each PeerUp, of the same incarnation");
      end.up.reset();
    } else if (auto* suspect = std::get_if<LinkCore::PeerSuspect>(&action)) {
      must(end.up.has_value() && end.core->suspect() == suspect->suspect, "only a peer that is up is suspected");
      counts_.suspects += suspect->suspect ? 1 : 0;
    } else if (auto* credit = std::get_if<LinkCore::BulkCredit>(&action)) {
      end.in_flight_told = credit->bytes_in_flight;
    } else {
      BOOST_FAIL("nobody is refused here");
    }
  }
}

void LinkWorld::deliver(std::size_t side, const LinkCore::Deliver& event) {
  auto& end = ends_[side];
  must(end.up.has_value(), "nothing is delivered from a peer that is down");
  const auto lane = core::traits(*event.message).lane;
  if (lane == Lane::bulk) {
    ++counts_.bulk_delivered;
    end.to_consume.push_back(event.bulk_bytes);
    return;
  }
  ++counts_.delivered;
  const auto& [life, from] = origin_.at(serial_of(*event.message));
  must(from == 1 - side, "a message comes from the other end");
  auto& sender = ends_[from].lives.at(static_cast<std::size_t>(life));
  if (!end.hears_life) {
    must(sender.heard_by == -1, "what was sent in one session is heard in one session");
    sender.heard_by = end.session;
    end.hears_life = life;
  }
  must(*end.hears_life == life && sender.heard_by == end.session, "a session hears one session of the peer");
  auto& heard = end.heard[static_cast<std::size_t>(lane)];
  must(sender.sent[static_cast<std::size_t>(lane)].at(heard) == serial_of(*event.message), "in order, each once, none left out");
  ++heard;
}

void LinkWorld::arrive(Packet&& packet) {
  auto& end = ends_[packet.to];
  LinkCore::Actions out;
  end.core->on(packet.envelope, now_, out);
  perform(packet.to, std::move(out));
}

void LinkWorld::tick_all() {
  for (std::size_t side = 0; side < 2; ++side) {
    auto& end = ends_[side];
    if (end.core->next_tick() > now_) continue;
    LinkCore::Actions out;
    end.core->on_tick(now_, out);
    must(end.core->next_tick() > now_, "a tick does what was due");
    perform(side, std::move(out));
  }
}

void LinkWorld::something() {
  const std::size_t side = random_.below(2);
  const auto dice = random_.below(1000);
  if (dice < 500) {
    const auto burst = random_.one_in(50) ? 100U : 1U;
    for (std::uint32_t i = 0; i < burst; ++i) send(side, random_.one_in(2) ? Lane::control : Lane::token);
  } else if (dice < 650) {
    send(side, Lane::bulk);
  } else if (dice < 800) {
    auto& end = ends_[side];
    if (end.to_consume.empty()) return;
    LinkCore::Actions out;
    end.core->consumed(end.to_consume.back(), now_, out);
    end.to_consume.pop_back();
    perform(side, std::move(out));
  } else if (healed_) {
    return;
  } else if (dice < 850 && options_.replays && !past_.empty()) {
    ++counts_.replays;
    pipe_.emplace(now_ + 1ms, past_[random_.below(static_cast<std::uint32_t>(past_.size()))]);
  } else if (dice == 900 && options_.restarts) {
    restart(side);
  } else if (dice >= 910 && dice < 912 && options_.partitions && heal_at_ < now_) {
    ++counts_.partitions;
    cut_[side] = true;
    if (random_.one_in(2)) cut_[1 - side] = true;
    heal_at_ = now_ + 1ms * (50 + random_.below(1500));
  }
}

LinkCounts LinkWorld::play() {
  const auto stop = now_ + options_.length;
  while (now_ < stop + 6s) {
    if (!healed_ && now_ >= stop) {
      healed_ = true;
      cut_[0] = cut_[1] = false;
    }
    if (heal_at_ <= now_) cut_[0] = cut_[1] = false;
    while (!pipe_.empty() && pipe_.begin()->first <= now_) {
      auto packet = std::move(pipe_.begin()->second);
      pipe_.erase(pipe_.begin());
      arrive(std::move(packet));
    }
    tick_all();
    if (now_ < stop + 2s && random_.one_in(3)) something();
    now_ += 1ms;
  }
  check_end();
  return counts_;
}

void LinkWorld::check_end() {
  for (std::size_t side = 0; side < 2; ++side) {
    auto& end = ends_[side];
    LinkCore::Actions out;
    for (const auto bytes : end.to_consume) end.core->consumed(bytes, now_, out);
    end.to_consume.clear();
    perform(side, std::move(out));
  }
  for (const auto end_of_time = now_ + 3s; now_ < end_of_time; now_ += 1ms) {
    while (!pipe_.empty() && pipe_.begin()->first <= now_) {
      auto packet = std::move(pipe_.begin()->second);
      pipe_.erase(pipe_.begin());
      arrive(std::move(packet));
    }
    tick_all();
    for (std::size_t side = 0; side < 2; ++side) {
      LinkCore::Actions out;
      for (const auto bytes : ends_[side].to_consume) ends_[side].core->consumed(bytes, now_, out);
      ends_[side].to_consume.clear();
      perform(side, std::move(out));
    }
  }
  for (std::size_t side = 0; side < 2; ++side) {
    auto& end = ends_[side];
    auto& other = ends_[1 - side];
    must(end.core->up() && end.up == other.incarnation && !end.core->suspect(), "over a good pipe both ends are up");
    must(end.core->peer_incarnation() == other.incarnation, "with the living");
    must(end.core->unacked() == 0, "everything is acknowledged");
    for (std::size_t lane = 0; lane < 2; ++lane) must(other.heard[lane] == end.lives.back().sent[lane].size(), "nothing is lost while up");
    must(end.in_flight_told == 0, "all bulk credit has come back");
  }
}

}  // namespace spillway::sched::test
