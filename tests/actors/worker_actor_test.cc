#include "actors/worker_actor.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "model/paced_device.h"
#include "tests/actors/one_actor.h"

namespace spillway::tests {

namespace {

using model::Device;

struct NoState {};

struct Heard {
  std::vector<actors::PagesRead> read;
  std::vector<actors::PagesWritten> written;
  std::vector<actors::PagesFailed> failed;
  std::vector<std::uint64_t> ready;  // generations
};

actors::CacheActor::behavior_type listening_cache(actors::CacheActor::stateful_pointer<NoState>, const std::shared_ptr<Heard>& heard) {
  return {
      [](const actors::FromPeer&) {},
      [](const actors::PeerChange&) {},
      [](const actors::ToCache&) {},
      [heard](const actors::PagesRead& read) { heard->read.push_back(read); },
      [heard](const actors::PagesWritten& written) { heard->written.push_back(written); },
      [heard](const actors::PagesFailed& failed) { heard->failed.push_back(failed); },
      [heard](const actors::WorkerReady& ready) { heard->ready.push_back(ready.generation); },
      [](const actors::Snapshot&) {},
      [](const actors::Tick&) {},
  };
}

actors::BatcherActor::behavior_type deaf_batcher(actors::BatcherActor::stateful_pointer<NoState>, const std::shared_ptr<Heard>&) {
  return {
      [](const actors::FromPeer&) {},    [](const actors::PeerChange&) {},  [](const actors::ToBatcher&) {},
      [](const actors::Executed&) {},    [](const actors::WorkerReady&) {}, [](const actors::WorkerFailed&) {},
      [](const actors::SetDraining&) {}, [](const actors::Snapshot&) {},    [](const actors::Tick&) {},
  };
}

actors::NodeActor::behavior_type deaf_node(actors::NodeActor::stateful_pointer<NoState>, const std::shared_ptr<Heard>&) {
  return {
      [](const actors::FromPeer&) {},
      [](const actors::PeerChange&) {},
      [](const actors::BatcherSnapshot&) {},
      [](const actors::CountersSnapshot&) {},
      [](const actors::WorkerReady&) {},
      [](const actors::WorkerFailed&) {},
      [](const actors::Tick&) {},
  };
}

/// A device that throws when block 9 is read.
class Fragile : public Device {
 public:
  Fragile() : device_(*model::PacedDevice::make({.blocks = 16})) {}
  const core::ReplicaInfo& info() const override { return device_->info(); }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override { return device_->execute(plan); }
  void read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) override {
    if (block == 9) throw std::runtime_error("planted");
    device_->read_rows(block, first_row, rows, out);
  }
  void write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) override {
    device_->write_rows(block, first_row, rows, in);
  }

 private:
  std::unique_ptr<model::PacedDevice> device_;
};

struct Worker {
  OneActor actors;
  std::shared_ptr<actors::Wiring> wiring = std::make_shared<actors::Wiring>();
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();

  Worker() {
    wiring->batchers.push_back(actors.system().spawn(deaf_batcher, heard));
    wiring->cache = actors.system().spawn(listening_cache, heard);
    wiring->node = actors.system().spawn(deaf_node, heard);
    spillway::actors::WorkerSetup setup{wiring, 0,
                                        [](std::uint32_t) { return core::Result<std::unique_ptr<Device>>(std::make_unique<Fragile>()); }};
    wiring->workers.push_back(actors.system().spawn(spillway::actors::worker_actor, std::move(setup)));
  }
  ~Worker() {
    caf::anon_send_exit(wiring->workers[0], caf::exit_reason::user_shutdown);
    caf::anon_send_exit(wiring->batchers[0], caf::exit_reason::user_shutdown);
    caf::anon_send_exit(wiring->cache, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(wiring->node, caf::exit_reason::user_shutdown);
    actors.run();
    *wiring = {};
  }
  void load() { actors.tell(wiring->workers[0], spillway::actors::LoadModel{}); }
  void read(core::BlockId block, std::uint64_t generation) {
    actors.tell(wiring->workers[0], spillway::actors::ReadPages{{0, {77}, 3, block, true, 0, 16}, generation});
  }
  void write(std::uint64_t generation) {
    const auto data = core::share(core::ByteVector(16U * 256U));
    actors.tell(wiring->workers[0], spillway::actors::WritePages{{0, {78}, 3, 2, 0, 16, data, true}, generation});
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(worker_actor)

BOOST_AUTO_TEST_CASE(pages_that_cannot_be_had_are_answered) {
  Worker worker;
  const Heard& heard = *worker.heard;
  worker.read(1, 0);  // nothing is loaded yet
  worker.write(0);
  BOOST_TEST(heard.failed.size() == 2U);
  worker.load();
  BOOST_REQUIRE(heard.ready == std::vector<std::uint64_t>{1});
  worker.read(1, 1);
  worker.write(1);
  BOOST_TEST(heard.read.size() == 1U);
  BOOST_TEST(heard.written.size() == 1U);
  BOOST_TEST(heard.failed.size() == 2U);
  worker.read(9, 1);  // throws
  BOOST_REQUIRE(heard.failed.size() == 3U);
  BOOST_TEST((heard.failed[2].transfer == core::TransferId{77}));
  worker.read(1, 1);  // the device is gone
  worker.write(1);
  BOOST_REQUIRE(heard.failed.size() == 5U);
  BOOST_TEST((heard.failed[4].transfer == core::TransferId{78}));
}

BOOST_AUTO_TEST_CASE(blocks_of_the_device_before_are_not_those_of_the_one_now) {
  Worker worker;
  const Heard& heard = *worker.heard;
  worker.load();
  worker.read(9, 1);
  worker.load();
  BOOST_REQUIRE((heard.ready == std::vector<std::uint64_t>{1, 2}));
  worker.read(1, 1);
  worker.write(1);
  BOOST_TEST(heard.read.empty());
  BOOST_TEST(heard.written.empty());
  BOOST_TEST(heard.failed.size() == 3U);
  worker.read(1, 2);
  worker.write(2);
  BOOST_TEST(heard.read.size() == 1U);
  BOOST_TEST(heard.written.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
