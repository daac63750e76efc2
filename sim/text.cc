#include "sim/text.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace spillway::sim {

core::Result<TextFile> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return core::fail(core::Errc::io, path + ": cannot be opened: want a file that can be read");
  const auto size = static_cast<std::int64_t>(in.tellg());
  if (size < 0 || static_cast<std::uint64_t>(size) > file_bytes_max)
    return core::fail(core::Errc::io, path + ": want a file of at most " + std::to_string(file_bytes_max) + " bytes");
  TextFile file{path, std::string(static_cast<std::size_t>(size), '\0')};
  in.seekg(0);
  in.read(file.text.data(), size);
  if (!in) return core::fail(core::Errc::io, path + ": cannot be read to its end: want a plain file");
  return file;
}

bool file_exists(const std::string& path) {
  return static_cast<bool>(std::ifstream(path, std::ios::binary));
}

tl::unexpected<core::Error> wrong_at(const std::string& path, std::uint32_t line, const std::string& what) {
  return core::fail(core::Errc::bad_file, path + ":" + std::to_string(line) + ": " + what);
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // The difference of an infinity or of what is no number with itself is not 0.
  if (error != std::errc{} || end != text.data() + text.size() || value - value != 0.0) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

}  // namespace spillway::sim
