#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// The habits of the tree as plain functions over texts, so that tidy_test can try each on a small sample before it reads the
/// tree. They read C++ with a heart and no parser: comments and strings are blanked, braces are counted.
namespace spillway::tidy {

struct SourceFile {
  std::string path;  ///< from the root of the tree, with slashes
  std::string text;
};

struct Violation {
  std::string path;
  int line = 0;  ///< from 1; 0 = the file as a whole
  std::string what;

  std::string to_string() const;  ///< "path:line: what"
};

using Violations = std::vector<Violation>;

/// `text` of the same length with comments, string and character literals turned into spaces; newlines stay.
std::string blank_comments_and_strings(std::string_view text);

/// Quoted includes name a folder that the file's folder may include; angled ones a library that it may use.
Violations check_includes(const SourceFile& file);

/// In core, sched and sim: no clock, thread, lock, random device, actor, socket; in sched no I/O and no libm either.
Violations check_determinism(const SourceFile& file);

/// In core, sched and sim: no loop over an unordered container. `declarations` is the file itself and its header: a member
/// declared there is known here.
Violations check_unordered_iteration(const SourceFile& file, std::string_view declarations);

inline constexpr int file_lines_max = 600;
inline constexpr int function_lines_max = 70;
inline constexpr int readme_lines_max = 40;

Violations check_file_length(const SourceFile& file);
/// From the first line of the signature to the closing brace.
Violations check_function_length(const SourceFile& file);

/// Headers: `#pragma once`, no `using namespace`; sources of a folder live in its namespace.
Violations check_shape(const SourceFile& file);

/// No path of one person's machine.
Violations check_machine_paths(const SourceFile& file);

/// Every .cc of a folder has tests/<folder>/<stem>_test.cc, unless `exceptions` (path -> reason) says why not. A part of a
/// thing is tried by the test of the thing: gemm_avx2.cc by gemm_test.cc, router_moves.cc by router_core_test.cc. Mains and
/// examples are tried as programs. An exception for a file that is gone is a violation too.
Violations check_tests_exist(const std::vector<SourceFile>& tree, const std::map<std::string, std::string>& exceptions);

/// Every operation of kernels (a header with a source of its stem) is named by a test and by a bench.
Violations check_kernel_stems(const std::vector<SourceFile>& tree, const std::map<std::string, std::string>& exceptions);

/// Every .cc stands in the CMakeLists.txt of its folder.
Violations check_registered(const std::vector<SourceFile>& tree);

/// Every folder of sources has a README.md of at most 40 lines.
Violations check_readmes(const std::vector<SourceFile>& tree);

/// In ARCHITECTURE.md: every `folder/file.ext` exists, and the `names` that follow it on the line (or on the next, until the next
/// file) stand in that file.
Violations check_roads(const std::vector<SourceFile>& tree);

}  // namespace spillway::tidy
