#include "sim/trace_reader.h"

#include <array>
#include <fstream>
#include <limits>
#include <unordered_map>

#include "sim/trace_numbers.h"
#include "sim/trace_rows.h"
#include "sim/workload_file.h"

namespace spillway::sim {
namespace {

using Read = core::Result<LoadedWorkload>;

constexpr std::array<std::string_view, 7> format_names = {"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm"};
constexpr std::size_t rounding_requests_min = 100;
constexpr std::uint16_t mooncake_block_tokens = 512;
constexpr std::uint16_t small_block_tokens = 16;

DraftRequest draft_of(const TraceDefaults& defaults) {
  DraftRequest request;
  request.tenant = defaults.tenant;
  request.model = defaults.model;
  request.service_class = defaults.service_class;
  return request;
}

void read_lengths(TraceRows& rows, std::size_t input, std::size_t output, DraftRequest& request) {
  request.input_tokens = static_cast<std::uint32_t>(rows.whole(input, 1, workload_tokens_max, "tokens"));
  request.output_tokens = static_cast<std::uint32_t>(rows.whole(output, 0, workload_tokens_max, "tokens"));
}

std::string counted(std::uint64_t count, const std::string& singular, const std::string& plural) {
  return std::to_string(count) + " " + (count == 1 ? singular : plural);
}

/// Many requests at few stamps: bursts within a slot are then made by rounding.
std::string rounding_note(const Workload& workload) {
  std::uint64_t stamps = 0;
  for (std::size_t i = 0; i < workload.requests.size(); ++i) {
    stamps += i == 0 || workload.requests[i].arrival_ns != workload.requests[i - 1].arrival_ns ? 1 : 0;
  }
  const auto requests = workload.requests.size();
  if (requests < rounding_requests_min || stamps * 2 > requests) return {};
  return std::to_string(requests) + " requests at " + counted(stamps, "stamp", "different stamps") +
         ": the source rounds its times, so bursts of the size of a slot or shorter are made up unless stamps are spread";
}

Read finish(TraceRows& rows, WorkloadBuilder& builder, std::vector<std::string> notes) {
  if (rows.failed()) return tl::make_unexpected(rows.error());
  if (builder.size() == 0) return core::fail(core::Errc::bad_file, rows.file() + ": holds no request: want at least one row");
  auto workload = builder.finish();
  if (!workload) return tl::make_unexpected(core::Error{workload.error().code, rows.file() + ": " + workload.error().message});
  if (auto note = rounding_note(*workload); !note.empty()) notes.push_back(std::move(note));
  return LoadedWorkload{std::move(*workload), std::move(notes)};
}

Read read_azure(std::istream& in, const std::string& file, const TraceDefaults& defaults) {
  enum Column : std::size_t { stamp, input, output };
  TraceRows rows(in, file, "an Azure 2023 trace", {{"TIMESTAMP"}, {"ContextTokens"}, {"GeneratedTokens"}});
  WorkloadBuilder builder;
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  std::int64_t last = 0;
  while (rows.next() && !builder.full()) {
    auto request = draft_of(defaults);
    read_lengths(rows, input, output, request);
    const auto date = parse_date(rows.text(stamp));
    if (!date) rows.wrong(stamp, "want a time like 2023-11-16 18:17:03.9799600");
    if (rows.failed()) break;
    request.arrival_ns = *date;
    first = std::min(first, *date);
    last = std::max(last, *date);
    if (last - first > workload_time_ns_max) rows.wrong(stamp, "want all rows within 36 years");
    builder.add(request);
  }
  if (!rows.failed()) builder.shift(first);
  return finish(rows, builder, {});
}

/// Checks the number of blocks against the input and hands them on.
void read_blocks(TraceRows& rows, std::size_t column, std::uint16_t block_tokens, std::uint64_t least, std::uint64_t most,
                 DraftRequest& request) {
  request.blocks = rows.list(column);
  request.block_tokens = block_tokens;
  const std::uint64_t count = request.blocks.size();
  if (rows.failed() || (count >= least && count <= most)) return;
  rows.wrong(column, std::string{"want "} + (least == most ? "" : "at most ") + std::to_string(most) + " ids: one for each block of " +
                         std::to_string(block_tokens) + " of the " + std::to_string(request.input_tokens) + " input tokens");
}

std::uint64_t blocks_with_tail(std::uint32_t tokens, std::uint16_t block_tokens) {
  return (std::uint64_t{tokens} + block_tokens - 1) / block_tokens;
}

Read read_mooncake(std::istream& in, const std::string& file, const TraceDefaults& defaults) {
  enum Column : std::size_t { stamp, input, output, blocks };
  TraceRows rows(in, file, "a Mooncake trace", {{"timestamp"}, {"input_length"}, {"output_length"}, {"hash_ids"}});
  WorkloadBuilder builder;
  while (rows.next() && !builder.full()) {
    auto request = draft_of(defaults);
    read_lengths(rows, input, output, request);
    request.arrival_ns = rows.decimal(stamp, 6, workload_time_ns_max, "ms");
    const auto wanted = blocks_with_tail(request.input_tokens, mooncake_block_tokens);
    read_blocks(rows, blocks, mooncake_block_tokens, wanted, wanted, request);
    if (!rows.failed()) builder.add(request);
  }
  return finish(rows, builder, {});
}

Read read_vllm(std::istream& in, const std::string& file, const TraceDefaults& defaults) {
  enum Column : std::size_t { stamp, input, output, blocks };
  TraceRows rows(in, file, "a vLLM validation workload", {{"arrival_ns"}, {"input_length"}, {"output_length"}, {"hash_ids", false}});
  WorkloadBuilder builder;
  while (rows.next() && !builder.full()) {
    auto request = draft_of(defaults);
    read_lengths(rows, input, output, request);
    request.arrival_ns = static_cast<std::int64_t>(rows.whole(stamp, 0, workload_time_ns_max, "ns"));
    const std::uint64_t wanted = request.input_tokens / small_block_tokens;
    if (rows.has(blocks)) read_blocks(rows, blocks, small_block_tokens, wanted, wanted, request);
    if (!rows.failed()) builder.add(request);
  }
  return finish(rows, builder, {});
}

/// The last request of a BurstGPT session.
struct Turn {
  std::uint32_t request = no_parent;
  std::uint64_t session = 0;
  std::int64_t end_ns = 0;  ///< 0 = the trace does not tell
};

Read read_burstgpt(std::istream& in, const std::string& file, const TraceDefaults& defaults) {
  enum Column : std::size_t { stamp, model, input, output, session, elapsed };
  TraceRows rows(
      in, file, "a BurstGPT trace",
      {{"Timestamp"}, {"Model", false}, {"Request tokens"}, {"Response tokens"}, {"Session ID", false}, {"Elapsed time", false}});
  WorkloadBuilder builder;
  std::map<std::string, Turn, std::less<>> sessions;
  std::uint64_t dropped = 0;
  while (rows.next() && !builder.full()) {
    auto request = draft_of(defaults);
    const std::string own_model = rows.text(model);
    if (!own_model.empty()) request.model = own_model;
    request.arrival_ns = rows.decimal(stamp, 9, workload_time_ns_max, "s");
    request.input_tokens = static_cast<std::uint32_t>(rows.whole(input, 0, workload_tokens_max, "tokens"));
    request.output_tokens = static_cast<std::uint32_t>(rows.whole(output, 0, workload_tokens_max, "tokens"));
    const auto elapsed_ns = rows.decimal(elapsed, 9, workload_time_ns_max, "s");
    const auto id = rows.text(session);
    if (rows.failed()) break;
    if (request.input_tokens == 0 || request.output_tokens == 0) {
      ++dropped;
      continue;
    }
    Turn* turn = nullptr;
    if (!id.empty()) {
      turn = &sessions[id];
      if (turn->session == 0) turn->session = sessions.size();
      request.session = turn->session;
      // A row that is out of order begins its session anew rather than continue what comes later.
      const bool follows = turn->request != no_parent && builder.arrival_ns(turn->request) <= request.arrival_ns;
      if (follows) request.parent = turn->request;
      if (follows && turn->end_ns > 0) request.think_ns = std::max<std::int64_t>(0, request.arrival_ns - turn->end_ns);
    }
    const auto index = builder.add(request);
    if (turn != nullptr) turn->request = index, turn->end_ns = elapsed_ns > 0 ? request.arrival_ns + elapsed_ns : 0;
  }
  std::vector<std::string> notes;
  if (dropped > 0) notes.push_back("dropped " + counted(dropped, "row", "rows") + " with zero tokens: requests that failed");
  return finish(rows, builder, std::move(notes));
}

/// Chats of a Bailian trace, whose parents may stand anywhere in the file.
class Chats {
 public:
  /// False when the id was there already.
  bool add(std::int64_t id, std::int64_t parent, std::uint64_t line) {
    chats_.push_back({parent, line});
    return by_id_.emplace(id, static_cast<std::uint32_t>(chats_.size() - 1)).second;
  }

  /// Ties each chat to its parent and session. Returns the line of a chat that does not come after its parent, 0 when all do.
  std::uint64_t link(WorkloadBuilder& builder) {
    // Parents first: by arrival, at equal time in the order of the file, which is what the normal form keeps.
    std::vector<std::uint32_t> order(chats_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return builder.arrival_ns(a) < builder.arrival_ns(b); });
    for (const auto i : order) {
      std::uint32_t parent = no_parent;
      if (const auto found = by_id_.find(chats_[i].parent); chats_[i].parent >= 0 && found != by_id_.end()) parent = found->second;
      if (parent != no_parent && chats_[parent].session == 0) return chats_[i].line;
      if (parent == no_parent && chats_[i].parent >= 0) ++orphans_;
      chats_[i].session = parent == no_parent ? ++sessions_ : chats_[parent].session;
      builder.set_parent(i, parent, chats_[i].session);
    }
    return 0;
  }
  std::uint64_t orphans() const { return orphans_; }

 private:
  struct Chat {
    std::int64_t parent;  ///< below 0 = none
    std::uint64_t line;
    std::uint64_t session = 0;  ///< 0 = not yet known
  };
  std::vector<Chat> chats_;
  std::unordered_map<std::int64_t, std::uint32_t> by_id_;
  std::uint64_t sessions_ = 0;
  std::uint64_t orphans_ = 0;
};

Read read_bailian(std::istream& in, const std::string& file, const TraceDefaults& defaults) {
  enum Column : std::size_t { chat, parent, stamp, input, output, blocks };
  TraceRows rows(in, file, "a Qwen-Bailian trace",
                 {{"chat_id"}, {"parent_chat_id"}, {"timestamp"}, {"input_length"}, {"output_length"}, {"hash_ids", false}});
  WorkloadBuilder builder;
  Chats chats;
  while (rows.next() && !builder.full()) {
    auto request = draft_of(defaults);
    read_lengths(rows, input, output, request);
    request.arrival_ns = rows.decimal(stamp, 9, workload_time_ns_max, "s");
    read_blocks(rows, blocks, small_block_tokens, 0, blocks_with_tail(request.input_tokens, small_block_tokens), request);
    const auto id = rows.id(chat);
    const auto parent_id = rows.id(parent);
    if (rows.failed()) break;
    if (!chats.add(id, parent_id, rows.line())) rows.wrong(chat, "want an id that no row above has");
    builder.add(request);
  }
  if (!rows.failed() && !builder.full()) {
    if (const auto line = chats.link(builder); line > 0)
      return core::fail(core::Errc::bad_file,
                        file + ":" + std::to_string(line) + ": the chat comes before its parent_chat_id: want an earlier timestamp there");
  }
  std::vector<std::string> notes;
  if (chats.orphans() > 0)
    notes.push_back(counted(chats.orphans(), "chat continues one", "chats continue some") +
                    " from before the trace: taken as first of a session");
  return finish(rows, builder, std::move(notes));
}

}  // namespace

std::string_view to_string(TraceFormat format) {
  return format_names.at(static_cast<std::size_t>(format));
}

std::optional<TraceFormat> parse_trace_format(std::string_view text) {
  for (std::size_t i = 0; i < format_names.size(); ++i) {
    if (format_names[i] == text) return static_cast<TraceFormat>(i);
  }
  return std::nullopt;
}

Read read_trace(std::istream& in, const std::string& file, TraceFormat format, const TraceDefaults& defaults) {
  switch (format) {
    case TraceFormat::azure: return read_azure(in, file, defaults);
    case TraceFormat::mooncake: return read_mooncake(in, file, defaults);
    case TraceFormat::burstgpt: return read_burstgpt(in, file, defaults);
    case TraceFormat::bailian: return read_bailian(in, file, defaults);
    case TraceFormat::vllm: return read_vllm(in, file, defaults);
    case TraceFormat::native: return read_workload(in, file);
    case TraceFormat::servegen: break;
  }
  return core::fail(core::Errc::bad_argument, file + ": servegen is no trace of rows: want load_servegen");
}

Read load_trace(const std::filesystem::path& file, TraceFormat format, const TraceDefaults& defaults) {
  std::error_code ignored;
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file, ignored))
    return core::fail(core::Errc::io, file.string() + ": cannot be opened: want a file of the format " + std::string{to_string(format)});
  return read_trace(in, file.string(), format, defaults);
}

}  // namespace spillway::sim
