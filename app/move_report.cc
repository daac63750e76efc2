#include "app/move_report.h"

#include <chrono>
#include <sstream>

namespace spillway::app {

namespace json = boost::json;

namespace {

double ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

const char* name(sdk::DrainMode mode) {
  switch (mode) {
    case sdk::DrainMode::resume: return "resume";
    case sdk::DrainMode::stop: return "stop";
    case sdk::DrainMode::begin: break;
  }
  return "drain";
}

}  // namespace

json::object move_json(const sdk::MoveResult& moved) {
  return {{"committed", moved.committed},
          {"commits", moved.committed ? 1 : 0},
          {"node", moved.destination},
          {"blocks", moved.blocks_sent},
          {"blocks_sent", moved.blocks_sent},
          {"blocks_held", moved.blocks},
          {"bytes", moved.bytes},
          {"row_bytes", moved.row_bytes},
          {"rows_recomputed", moved.rows_recomputed},
          {"rows_after_freeze", moved.rows_after_freeze},
          {"steps_during_copy", moved.steps_during_copy},
          {"copy_ms", ms(moved.copy)},
          {"pause_ms", ms(moved.pause)}};
}

std::string move_text(const sdk::MoveResult& moved) {
  std::ostringstream out;
  out << "moved to " << moved.destination << ": " << moved.blocks_sent << (moved.blocks_sent == 1 ? " block (" : " blocks (") << moved.bytes
      << " bytes) carried";
  if (moved.blocks > moved.blocks_sent) out << ", " << moved.blocks - moved.blocks_sent << " there already,";
  out << " in " << ms(moved.copy) << " ms while " << moved.steps_during_copy << " tokens were made, " << moved.rows_recomputed
      << " rows recomputed, pause " << ms(moved.pause) << " ms";
  return out.str();
}

json::object drain_json(const std::string& node, sdk::DrainMode mode, const sdk::DrainProgress& done, double took_ms) {
  return {{"node", node},          {"mode", name(mode)},  {"streams_left", done.streams_left},       {"commits", done.commits},
          {"blocks", done.blocks}, {"bytes", done.bytes}, {"rows_recomputed", done.rows_recomputed}, {"pause_ms", ms(done.pause_max)},
          {"took_ms", took_ms}};
}

std::string drain_text(const std::string& node, sdk::DrainMode mode, const sdk::DrainProgress& done, double took_ms) {
  if (mode == sdk::DrainMode::resume) return node + " takes work again";
  std::ostringstream out;
  out << node << " is empty after " << took_ms << " ms: " << done.commits << " streams moved, " << done.blocks << " blocks (" << done.bytes
      << " bytes) carried, longest pause " << ms(done.pause_max) << " ms";
  return out.str();
}

}  // namespace spillway::app
