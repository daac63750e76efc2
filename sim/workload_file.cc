#include "sim/workload_file.h"

#include <boost/json.hpp>
#include <fstream>

#include "core/whole_file.h"
#include "sim/trace_rows.h"

namespace spillway::sim {
namespace {

namespace json = boost::json;

enum Column : std::size_t {
  arrival,
  input,
  output,
  tenant,
  model,
  service_class,
  session,
  parent,
  supersedes,
  think,
  deadline,
  block_tokens,
  blocks
};

constexpr const char* column_names[] = {"arrival_ns", "input_tokens", "output_tokens", "tenant",      "model",        "class", "session",
                                        "parent",     "supersedes",   "think_ns",      "deadline_ns", "block_tokens", "blocks"};

std::string quoted_csv(const std::string& text) {
  if (text.find_first_of(",\" \t") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string{"\"\""} : std::string{c};
  return out + '"';
}

std::string unless_zero(std::uint64_t value) {
  return value == 0 ? std::string{} : std::to_string(value);
}

void write_csv_row(const Workload& workload, const WorkloadRequest& request, std::ostream& out) {
  out << request.arrival_ns << ',' << request.input_tokens << ',' << request.output_tokens << ','
      << quoted_csv(workload.tenants.at(request.tenant)) << ',' << quoted_csv(workload.models.at(request.model)) << ','
      << core::to_string(request.service_class) << ',' << unless_zero(request.session) << ','
      << (request.parent == no_parent ? std::string{} : std::to_string(request.parent)) << ',' << (request.supersedes ? "true" : "") << ','
      << unless_zero(static_cast<std::uint64_t>(request.think_ns)) << ',' << unless_zero(static_cast<std::uint64_t>(request.deadline_ns))
      << ',' << unless_zero(request.block_tokens) << ',';
  const char* before = "";
  for (const auto block : workload.blocks_of(request)) {
    out << before << block;
    before = " ";
  }
  out << '\n';
}

void write_json_row(const Workload& workload, const WorkloadRequest& request, std::ostream& out) {
  out << "{\"arrival_ns\":" << request.arrival_ns << ",\"input_tokens\":" << request.input_tokens
      << ",\"output_tokens\":" << request.output_tokens << ",\"tenant\":" << json::serialize(workload.tenants.at(request.tenant))
      << ",\"model\":" << json::serialize(workload.models.at(request.model)) << ",\"class\":\"" << core::to_string(request.service_class)
      << '"';
  if (request.session != 0) out << ",\"session\":" << request.session;
  if (request.parent != no_parent) out << ",\"parent\":" << request.parent;
  if (request.supersedes) out << ",\"supersedes\":true";
  if (request.think_ns != 0) out << ",\"think_ns\":" << request.think_ns;
  if (request.deadline_ns != 0) out << ",\"deadline_ns\":" << request.deadline_ns;
  if (request.block_count != 0) {
    out << ",\"block_tokens\":" << request.block_tokens << ",\"blocks\":";
    char before = '[';
    for (const auto block : workload.blocks_of(request)) {
      out << before << block;
      before = ',';
    }
    out << ']';
  }
  out << "}\n";
}

bool read_supersedes(TraceRows& rows) {
  const auto word = rows.text(supersedes);
  if (!word.empty() && word != "true" && word != "false") rows.wrong(supersedes, "want true or false");
  return word == "true";
}

core::ServiceClass read_class(TraceRows& rows) {
  auto value = core::ServiceClass::interactive;
  const auto word = rows.text(service_class);
  if (!word.empty() && !core::parse_service_class(word, value)) rows.wrong(service_class, "want live, interactive or batch");
  return value;
}

void read_blocks(TraceRows& rows, DraftRequest& request) {
  request.blocks = rows.list(blocks);
  if (request.blocks.empty() || rows.failed()) return;
  if (!rows.has(block_tokens)) rows.wrong(blocks, "want block_tokens beside it");
  request.block_tokens = static_cast<std::uint16_t>(rows.whole(block_tokens, 1, workload_block_tokens_max, "tokens"));
  if (rows.failed()) return;
  const std::uint64_t most = (std::uint64_t{request.input_tokens} + request.block_tokens - 1) / request.block_tokens;
  if (request.blocks.size() > most)
    rows.wrong(blocks, "want at most " + std::to_string(most) + " blocks of " + std::to_string(request.block_tokens) + " tokens for " +
                           std::to_string(request.input_tokens) + " input tokens");
}

/// Ties between rows: the order of arrival, and the parent.
void check_order(TraceRows& rows, const WorkloadBuilder& builder, const std::vector<std::uint64_t>& sessions, const DraftRequest& request) {
  if (rows.failed()) return;
  if (builder.size() > 0 && request.arrival_ns < builder.arrival_ns(builder.size() - 1))
    rows.wrong(arrival, "want rows in order of arrival");
  if (request.parent == no_parent) {
    if (request.supersedes) rows.wrong(supersedes, "want a parent that it supersedes");
    return;
  }
  if (request.parent >= builder.size()) rows.wrong(parent, "want a row above, counted from 0 without the header");
  else if (request.session == 0 || sessions[request.parent] != request.session) rows.wrong(parent, "want a row of the same session");
}

}  // namespace

void write_workload(const Workload& workload, WorkloadForm form, std::ostream& out) {
  if (form == WorkloadForm::csv) {
    const char* before = "";
    for (const auto* name : column_names) {
      out << before << name;
      before = ",";
    }
    out << '\n';
  }
  for (const auto& request : workload.requests) {
    if (form == WorkloadForm::csv) write_csv_row(workload, request, out);
    else write_json_row(workload, request, out);
  }
}

core::Result<void> save_workload(const Workload& workload, const std::filesystem::path& file) {
  const auto form = file.extension() == ".csv" ? WorkloadForm::csv : WorkloadForm::jsonl;
  return core::write_whole(file, [&](std::ostream& out) { write_workload(workload, form, out); });
}

core::Result<LoadedWorkload> read_workload(std::istream& in, const std::string& file) {
  std::vector<TraceColumn> columns;
  for (const auto* name : column_names) columns.push_back({name, columns.size() <= output});
  TraceRows rows(in, file, "a Spillway workload", std::move(columns));
  WorkloadBuilder builder;
  std::vector<std::uint64_t> sessions;
  while (rows.next() && !builder.full()) {
    DraftRequest request;
    request.arrival_ns = static_cast<std::int64_t>(rows.whole(arrival, 0, workload_time_ns_max, "ns"));
    request.input_tokens = static_cast<std::uint32_t>(rows.whole(input, 1, workload_tokens_max, "tokens"));
    request.output_tokens = static_cast<std::uint32_t>(rows.whole(output, 0, workload_tokens_max, "tokens"));
    const auto tenant_name = rows.text(tenant);
    const auto model_name = rows.text(model);
    if (!tenant_name.empty()) request.tenant = tenant_name;
    if (!model_name.empty()) request.model = model_name;
    request.service_class = read_class(rows);
    request.session = rows.whole(session, 0, 0xffffffff, "session");
    if (rows.has(parent)) request.parent = static_cast<std::uint32_t>(rows.whole(parent, 0, no_parent - 1, "row"));
    request.supersedes = read_supersedes(rows);
    request.think_ns = static_cast<std::int64_t>(rows.whole(think, 0, workload_time_ns_max, "ns"));
    request.deadline_ns = static_cast<std::int64_t>(rows.whole(deadline, 0, workload_time_ns_max, "ns"));
    read_blocks(rows, request);
    check_order(rows, builder, sessions, request);
    if (rows.failed()) break;
    builder.add(request);
    sessions.push_back(request.session);
  }
  if (rows.failed()) return tl::make_unexpected(rows.error());
  if (builder.size() == 0) return core::fail(core::Errc::bad_file, file + ": holds no request: want at least one row");
  auto workload = builder.finish();
  if (!workload) return tl::make_unexpected(core::Error{workload.error().code, file + ": " + workload.error().message});
  return LoadedWorkload{std::move(*workload), {}};
}

}  // namespace spillway::sim
