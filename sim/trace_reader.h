#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "sim/workload.h"

/// Readers of public traces and of our own format. Columns are found by name, in CSV with a header or in JSON, one object a
/// line. Nothing is half-read: the first malformed row ends it with an error that names file, line, column, value and wish.
namespace spillway::sim {

enum class TraceFormat : std::uint8_t {
  azure,     ///< TIMESTAMP, ContextTokens, GeneratedTokens; the first stamp becomes 0
  mooncake,  ///< timestamp (ms), input_length, output_length, hash_ids of 512 tokens, the tail block too
  burstgpt,  ///< Timestamp (s), Model, Request tokens, Response tokens; [Session ID], [Elapsed time]; rows without tokens dropped
  bailian,   ///< chat_id, parent_chat_id, timestamp (s), input_length, output_length, hash_ids of 16 tokens; sessions
  servegen,  ///< statistics of clients, sampled: trace_servegen.h
  native,    ///< workload_file.h
  vllm,      ///< arrival_ns, input_length, output_length, hash_ids of 16 tokens, full blocks only
};

std::string_view to_string(TraceFormat format);
std::optional<TraceFormat> parse_trace_format(std::string_view text);

/// Whose requests these are, where the trace does not tell.
struct TraceDefaults {
  std::string tenant = "default";
  std::string model = "default";
  core::ServiceClass service_class = core::ServiceClass::interactive;
};

/// Reads a whole trace; any format but servegen (bad_argument). `file` is what errors name.
/// Errors: bad_file for a malformed one, with file:line; also when it holds no request at all.
core::Result<LoadedWorkload> read_trace(std::istream& in, const std::string& file, TraceFormat format, const TraceDefaults& defaults = {});
/// The same from a file. Errors: io when it cannot be opened.
core::Result<LoadedWorkload> load_trace(const std::filesystem::path& file, TraceFormat format, const TraceDefaults& defaults = {});

}  // namespace spillway::sim
