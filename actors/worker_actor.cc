#include "actors/worker_actor.h"

#include <exception>

namespace spillway::actors {

namespace {

using Self = WorkerActor::stateful_pointer<WorkerShell>;

void fail(Self self, const std::string& reason) {
  auto& shell = state(self);
  shell.device.reset();
  const WorkerFailed failed{shell.setup.index, reason};
  tell(self, shell.setup.wiring->batchers[shell.setup.index], failed);
  tell(self, shell.setup.wiring->node, failed);
}

/// Runs what touches the device; nothing it throws leaves the worker. False: there is no device, or it fell over.
template <class Work>
bool guarded(Self self, const Work& work) {
  if (!state(self).device) return false;
  try {
    work(*state(self).device);
    return true;
  } catch (const std::exception& error) {
    fail(self, std::string("the device threw: ") + error.what());
    return false;
  }
}

/// The same for pages of the device of generation `generation`; the cache-manager hears when they cannot be had.
template <class Work>
void guarded_pages(Self self, core::TransferId transfer, std::uint64_t generation, const Work& work) {
  const bool same = generation == state(self).generation;
  if (same && guarded(self, work)) return;
  const auto* reason = same ? "the device is lost" : "the device was loaded anew since";
  tell(self, state(self).setup.wiring->cache, PagesFailed{transfer, reason});
}

void load(Self self) {
  auto& shell = state(self);
  shell.device.reset();
  core::Result<std::unique_ptr<model::Device>> loaded = core::fail(core::Errc::internal, "not loaded");
  try {
    loaded = shell.setup.load(shell.setup.index);
  } catch (const std::exception& error) {
    loaded = core::fail(core::Errc::internal, std::string("loading threw: ") + error.what());
  }
  if (!loaded) return fail(self, loaded.error().message);
  shell.device = std::move(*loaded);
  ++shell.generation;
  const WorkerReady ready{shell.setup.index, std::make_shared<const core::ReplicaInfo>(shell.device->info()), shell.generation};
  const Wiring& wiring = *shell.setup.wiring;
  // The cache-manager first: an Offer may follow the batcher's first report at once.
  tell(self, wiring.cache, ready);
  tell(self, wiring.batchers[shell.setup.index], ready);
  tell(self, wiring.node, ready);
}

void execute(Self self, const core::StepPlan& plan) {
  guarded(self, [&](model::Device& device) {
    auto result = device.execute(plan);
    if (!result) return fail(self, result.error().message);
    const core::Duration elapsed = result->elapsed;
    Executed done{std::make_shared<const core::StepResult>(std::move(*result))};
    const auto& batcher = state(self).setup.wiring->batchers[state(self).setup.index];
    if (device.paced()) {
      tell_after(self, elapsed, batcher, std::move(done));
    } else {
      tell(self, batcher, std::move(done));
    }
  });
}

void read(Self self, const sched::CacheCore::ReadRows& what, std::uint64_t generation) {
  guarded_pages(self, what.transfer, generation, [&](model::Device& device) {
    const std::uint64_t row_bytes = device.info().row_bytes;
    // A whole page travels with its full size; behind the rows that hold data it is zeros.
    core::ByteVector bytes((what.whole_page ? core::block_tokens : what.rows) * row_bytes);
    device.read_rows(what.block, what.first_row, what.rows, core::MutableBytes(bytes).first(what.rows * row_bytes));
    tell(self, state(self).setup.wiring->cache,
         PagesRead{{what.transfer, what.ordinal, what.whole_page, what.first_row, what.rows, core::share(std::move(bytes))}});
  });
}

void write(Self self, const sched::CacheCore::WriteRows& what, std::uint64_t generation) {
  guarded_pages(self, what.transfer, generation, [&](model::Device& device) {
    device.write_rows(what.block, what.first_row, what.rows, core::Bytes(*what.data).first(what.rows * device.info().row_bytes));
    tell(self, state(self).setup.wiring->cache, PagesWritten{{what.transfer, what.ordinal, what.first_row, what.rows}});
  });
}

}  // namespace

WorkerActor::behavior_type worker_actor(Self self, WorkerSetup setup) {
  state(self).setup = std::move(setup);
  return {
      [self](const LoadModel&) { load(self); },
      [self](const Execute& step) { execute(self, *step.plan); },
      [self](const ReadPages& request) { read(self, request.what, request.generation); },
      [self](const WritePages& request) { write(self, request.what, request.generation); },
  };
}

}  // namespace spillway::actors
