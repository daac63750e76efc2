#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "sim/workload.h"

/// Our own format of a workload: all fields of the record, as JSON, one object a line, or as CSV with a header. Columns:
///   arrival_ns, input_tokens, output_tokens           required
///   tenant, model ("default"), class ("interactive")  texts
///   session (0 = none), parent (row it continues, from 0; empty = none), supersedes (true, false)
///   think_ns, deadline_ns (0 = none)
///   block_tokens, blocks                              numbers; in CSV with spaces between
/// What is written reads back equal (==), in both forms. Readers skip columns that they do not know.
namespace spillway::sim {

enum class WorkloadForm : std::uint8_t { jsonl, csv };

/// Fields that have their default are left out of JSON and empty in CSV.
void write_workload(const Workload& workload, WorkloadForm form, std::ostream& out);
/// CSV where the name ends in .csv, else JSON. The file is replaced when all is written, or stays as it was. Errors: io.
core::Result<void> save_workload(const Workload& workload, const std::filesystem::path& file);

/// Errors: bad_file with file:line: columns, values; rows that are not in order of arrival; a parent that is no row above, or
/// of another session; more blocks than the input has.
core::Result<LoadedWorkload> read_workload(std::istream& in, const std::string& file);

}  // namespace spillway::sim
