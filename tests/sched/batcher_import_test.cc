#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sched/batcher_bench.h"

using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
using core::Errc;
namespace bdata = boost::unit_test::data;

namespace {

const core::TransferId transfer{31};

/// A stream that stands frozen at its source after some steps, and what its cache-manager read.
struct Source {
  explicit Source(const core::Run& of, int steps, std::uint32_t blocks = 64) : bench({}, blocks), run(of) {
    bench.give(run);
    for (int i = 0; i < steps; ++i) BOOST_REQUIRE(bench.step());
    bench.give(ExportBegin{.transfer = transfer, .key = run.key, .epoch = run.epoch});
    bench.give(ExportFreeze{.transfer = transfer});
    while (bench.told<ExportFrozen>().empty()) BOOST_REQUIRE(bench.step());
    frozen = bench.told<ExportFrozen>()[0];
  }
  ImportReserve reserve() const {
    ImportReserve event{.transfer = transfer,
                        .key = run.key,
                        .epoch = next_epoch(),
                        .choices = static_cast<std::uint32_t>(run.choices.size()),
                        .blocks = {}};
    for (const auto& b : frozen.blocks)
      event.blocks.push_back({.ordinal = b.ordinal, .name = b.name, .first_token = b.first_token, .rows = b.rows});
    return event;
  }
  ImportCommit commit() const {
    ImportCommit event{.transfer = transfer, .run = frozen.run, .tables = frozen.tables, .rows = frozen.rows, .blocks = reserve().blocks};
    event.run.epoch = next_epoch();
    return event;
  }
  core::Epoch next_epoch() const { return {run.epoch.owner, run.epoch.counter + 1}; }
  /// Writes the pages into the blocks that the destination reserved.
  void carry(Bench& to, const ImportReserved& reserved) const {
    for (const auto& slot : reserved.slots) {
      for (const auto& b : frozen.blocks) {
        if (b.ordinal == slot.ordinal && !slot.held) to.worker.pages.at(slot.block) = bench.worker.pages.at(b.block);
      }
    }
  }
  Bench bench;
  core::Run run;
  ExportFrozen frozen;
};

ImportReserved reserved(const Bench& b) {
  return b.told<ImportReserved>().back();
}
ImportCommitted committed(const Bench& b) {
  return b.told<ImportCommitted>().back();
}

std::vector<core::TokenOut> rest(const core::Run& run, std::uint32_t choice, std::size_t from) {
  const auto all = undisturbed(*run.request, choice);
  return {all.begin() + static_cast<std::ptrdiff_t>(from), all.end()};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_import)

BOOST_AUTO_TEST_CASE(an_imported_stream_goes_on_with_one_row_a_choice) {
  for (const std::uint32_t choices : {1U, 3U}) {
    const Source source(make_run(1, 1, {.prompt = 40, .choices = choices, .tokens_max = 20}), 6);
    Bench b;
    b.give(source.reserve());
    BOOST_REQUIRE(reserved(b).accepted);
    BOOST_TEST(reserved(b).slots.size() == source.frozen.blocks.size());
    source.carry(b, reserved(b));
    b.give(source.commit());
    BOOST_TEST(committed(b).accepted);
    const auto accepted = b.posted<core::RunAccepted>();
    BOOST_REQUIRE(accepted.size() == 1U);
    BOOST_TEST(accepted[0].imported);
    BOOST_TEST(accepted[0].rows_to_compute == choices);
    BOOST_TEST(accepted[0].blocks_imported == source.frozen.blocks.size());
    BOOST_TEST(b.added_names().size() == 2U);  // full and named: only now
    const auto plan = b.plan();
    BOOST_TEST(plan->items.size() == choices);
    b.finish(*plan);
    BOOST_TEST(b.worker.rows == choices);
    b.run_dry();
    for (std::uint32_t c = 0; c < choices; ++c) BOOST_TEST((b.heard(source.run, c) == rest(source.run, c, 6)));
    BOOST_TEST(b.core.idle());
  }
}

BOOST_AUTO_TEST_CASE(a_stream_frozen_in_its_prompt_computes_the_rest_here) {
  auto run = make_run(1, 1, {.prompt = 40, .choices = 2});
  Source source(run, 0);  // queued: nothing computed
  Bench b;
  b.give(source.reserve());
  b.give(source.commit());
  BOOST_REQUIRE(committed(b).accepted);
  b.run_dry();
  for (std::uint32_t c = 0; c < 2; ++c) BOOST_TEST((b.heard(run, c) == rest(run, c, 0)));
}

BOOST_AUTO_TEST_CASE(names_held_here_are_pinned_instead_of_reserved) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  b.give(make_run(2, 1, {.prompt = 40}));
  b.run_dry();
  b.give(source.reserve());
  const auto slots = reserved(b).slots;
  BOOST_REQUIRE(slots.size() == 3U);
  BOOST_TEST(slots[0].held);
  BOOST_TEST(slots[1].held);
  BOOST_TEST(!slots[2].held);
  BOOST_TEST(b.core.report(b.now).blocks_used == 3U);
  source.carry(b, reserved(b));
  b.give(source.commit());
  b.run_dry();
  BOOST_TEST((b.heard(source.run) == rest(source.run, 0, 3)));
}

BOOST_AUTO_TEST_CASE(more_blocks_may_follow_and_an_ordinal_is_reserved_once) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  auto first = source.reserve();
  const auto last = first.blocks.back();
  first.blocks.pop_back();
  b.give(first);
  const auto before = reserved(b).slots;
  b.give(first);
  BOOST_TEST(b.core.report(b.now).blocks_used == 2U);
  BOOST_TEST(reserved(b).slots[1].block == before[1].block);
  first.blocks = {last};
  b.give(first);
  BOOST_TEST(b.core.report(b.now).blocks_used == 3U);
}

BOOST_AUTO_TEST_CASE(without_room_nothing_more_is_reserved_than_before) {
  const Source source(make_run(1, 1, {.prompt = 100}), 3);
  Bench b({}, 10);
  b.give(make_run(2, 1, {.prompt = 60, .family = 2}));
  b.step();
  b.give(source.reserve());
  BOOST_TEST(!reserved(b).accepted);
  BOOST_TEST((reserved(b).code == Errc::no_capacity));
  BOOST_TEST(reserved(b).reason.find("8 blocks needed, 6 available") != std::string::npos, reserved(b).reason);
  BOOST_TEST(b.core.report(b.now).blocks_used == 4U);
}

BOOST_AUTO_TEST_CASE(sequence_slots_are_reserved_too) {
  const Source source(make_run(1, 1, {.choices = 3}), 3);
  Bench b({.sequences_max = 4});
  b.give(make_run(2, 1, {.choices = 2}));
  b.step();
  b.give(source.reserve());
  BOOST_TEST((reserved(b).code == Errc::no_capacity));
  b.run_dry();
  b.give(source.reserve());
  BOOST_TEST(reserved(b).accepted);
  b.give(make_run(3, 1, {.choices = 2}));
  BOOST_TEST(!b.plan().has_value());  // the import has three of four
  b.give(ImportCancel{transfer});
  BOOST_TEST(b.plan().has_value());
}

BOOST_AUTO_TEST_CASE(a_cancelled_import_leaves_nothing) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  b.give(source.reserve());
  BOOST_TEST(!b.core.idle());
  b.give(ImportCancel{transfer});
  b.give(ImportCancel{transfer});
  BOOST_TEST(b.core.idle());
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  b.give(source.commit());
  BOOST_TEST(!committed(b).accepted);
}

BOOST_AUTO_TEST_CASE(the_owners_cancel_ends_an_import_at_its_commit) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  b.give(source.reserve());
  b.give(core::CancelRun{.key = source.run.key, .epoch = source.next_epoch()});
  BOOST_TEST(b.core.report(b.now).blocks_used == 3U);  // the cache-manager may still be writing
  b.give(source.commit());
  BOOST_TEST(!committed(b).accepted);
  BOOST_TEST((committed(b).code == Errc::cancelled));
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  b.give(source.reserve());
  BOOST_TEST((reserved(b).code == Errc::cancelled));
}

BOOST_AUTO_TEST_CASE(a_newer_epoch_that_runs_here_wins_and_an_older_one_loses) {
  const Source source(make_run(1, 5, {.prompt = 40}), 3);
  Bench b;
  b.give(source.reserve());
  b.give(make_run(1, 7, {.prompt = 40}));
  b.give(source.commit());
  BOOST_TEST((committed(b).code == Errc::already_exists));
  b.give(core::CancelRun{.key = source.run.key, .epoch = {{500}, 7}});
  BOOST_TEST(b.core.idle());

  Bench c;
  c.give(make_run(1, 4, {.prompt = 40}));
  c.step();
  c.give(source.reserve());
  source.carry(c, reserved(c));
  c.give(source.commit());
  BOOST_TEST(committed(c).accepted);
  BOOST_TEST(c.core.report(c.now).streams == 1U);
  c.out.clear();
  c.run_dry();
  BOOST_TEST((c.heard(source.run) == rest(source.run, 0, 3)));
}

struct Spoilt {
  const char* rule;
  void (*spoil)(ImportCommit&);
  Errc code;
  friend std::ostream& operator<<(std::ostream& out, const Spoilt& s) { return out << s.rule; }
};
const Spoilt spoilt[] = {
    {"a table too few", [](ImportCommit& c) { c.tables.clear(); }, Errc::bad_frame},
    {"rows too few", [](ImportCommit& c) { c.rows.clear(); }, Errc::bad_frame},
    {"more rows than tokens", [](ImportCommit& c) { c.rows[0] = 44; }, Errc::bad_frame},
    {"a table that does not cover the rows", [](ImportCommit& c) { c.tables[0].pop_back(); }, Errc::bad_frame},
    {"an ordinal nobody reserved", [](ImportCommit& c) { c.tables[0][1] = 99; }, Errc::bad_frame},
    {"another stream", [](ImportCommit& c) { c.run.key.request.lo = 77; }, Errc::bad_frame},
    {"another epoch", [](ImportCommit& c) { c.run.epoch.counter += 1; }, Errc::bad_frame},
    {"a Run that cannot run", [](ImportCommit& c) { c.run.choices[0].tokens[0] = 1000; }, Errc::bad_argument},
};
BOOST_DATA_TEST_CASE(a_handoff_that_makes_no_sense_is_refused_and_never_run, bdata::make(spoilt), s) {
  const Source source(make_run(1, 1, {.prompt = 40}), 4);
  Bench b;
  b.give(source.reserve());
  auto commit = source.commit();
  s.spoil(commit);
  b.give(commit);
  BOOST_TEST(!committed(b).accepted);
  BOOST_TEST((committed(b).code == s.code));
  BOOST_TEST(!committed(b).reason.empty());
  BOOST_TEST(b.core.idle());
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  b.give(commit);
  BOOST_TEST(!committed(b).accepted);
  BOOST_TEST(b.posted<core::RunAccepted>().empty());
}

BOOST_AUTO_TEST_CASE(a_failed_worker_ends_its_imports_and_says_so) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  b.give(source.reserve());
  b.core.on_worker_failed("x", b.now, b.out);
  b.core.check();
  BOOST_TEST(!committed(b).accepted);
  BOOST_TEST((committed(b).code == Errc::unavailable));
  BOOST_TEST(b.core.idle());
  b.give(source.reserve());
  BOOST_TEST((reserved(b).code == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(a_draining_node_still_takes_what_was_moved_to_it) {
  const Source source(make_run(1, 1, {.prompt = 40}), 3);
  Bench b;
  b.core.set_draining(true);
  b.give(source.reserve());
  b.give(source.commit());
  BOOST_TEST(committed(b).accepted);
}

BOOST_AUTO_TEST_CASE(an_imported_stream_can_be_exported_again) {
  const Source source(make_run(1, 1, {.prompt = 40, .tokens_max = 12}), 3);
  Bench b;
  b.give(source.reserve());
  source.carry(b, reserved(b));
  b.give(source.commit());
  b.step();
  b.give(ExportBegin{.transfer = {32}, .key = source.run.key, .epoch = source.next_epoch()});
  b.give(ExportFreeze{.transfer = {32}});
  const auto frozen = b.told<ExportFrozen>();
  BOOST_REQUIRE(frozen.size() == 1U);
  BOOST_TEST(frozen[0].run.choices[0].tokens.size() == 4U);
  BOOST_TEST(frozen[0].rows[0] == 43U);
}

BOOST_AUTO_TEST_SUITE_END()
