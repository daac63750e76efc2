#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

/// Files as they come in: read whole, and every complaint about them with the place, what is wrong and what was expected.
namespace spillway::sim {

inline constexpr std::uint64_t file_bytes_max = std::uint64_t{1} << 30U;

struct TextFile {
  std::string path;
  std::string text;
};

/// Errors  the file cannot be read, or is larger than `file_bytes_max`.
core::Result<TextFile> read_text(const std::string& path);

/// Whether there is a file at `path`.
bool file_exists(const std::string& path);

/// "path:line: what", as Errc::bad_file. `what` says what is wrong and what was expected.
tl::unexpected<core::Error> wrong_at(const std::string& path, std::uint32_t line, const std::string& what);

/// The whole of `text` as a finite decimal number, else nothing.
std::optional<double> parse_number(std::string_view text);

/// `text` without spaces and carriage returns at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace spillway::sim
