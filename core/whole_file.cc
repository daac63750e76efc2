#include "core/whole_file.h"

#include <fstream>

namespace spillway::core {

Result<void> write_whole(const std::filesystem::path& file, const std::function<void(std::ostream&)>& write) {
  std::filesystem::path part = file;
  part += ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  if (!out) return fail(Errc::io, file.string() + ": cannot be written: want a folder that exists and is ours");
  write(out);
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(part, file, error);
  if (out && !error) return {};
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  return fail(Errc::io, file.string() + ": cannot be written: want a file that can be replaced, and space on the disk");
}

Result<void> write_whole_files(const std::filesystem::path& folder, const std::vector<std::pair<std::string, std::string>>& files) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(Errc::io, folder.string() + ": cannot be made a folder: " + error.message());
  for (const auto& [name, bytes] : files) {
    auto written = write_whole(folder / name, [&bytes = bytes](std::ostream& out) { out << bytes; });
    if (!written) return written;
  }
  return {};
}

}  // namespace spillway::core
