#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

/// Files that are there whole or not at all: bytes go to FILE.part, which takes the file's place when all are written.
namespace spillway::core {

/// `write` puts the bytes into a binary stream. Errors (io, naming the file): no such folder, no right, no space; then an older file
/// of this name is as it was, and nothing new lies beside it.
Result<void> write_whole(const std::filesystem::path& file, const std::function<void(std::ostream&)>& write);
/// Makes the folder and writes its files of (name, bytes), one by one. Errors (io): the folder, or the first file that failed.
Result<void> write_whole_files(const std::filesystem::path& folder, const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace spillway::core
