#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

/// Decisions of a production node taken again: the same core classes, made from what the log begins with, are given what the log
/// says they were told, and must answer what it says they answered.
namespace spillway::decisions {

/// One call of a core.
struct Decision {
  std::string file;
  std::uint64_t number = 0;  ///< within the file, from 1
  std::string core;          ///< "router", "batcher 0", "cache", "link to blue"
  std::string event;         ///< "admit", "message Run", "plan step"
};

struct Difference {
  Decision decision;
  std::string expected;  ///< as logged: the line of the answer where the two part, or its size and digest
  std::string came;
};

struct Replayed {
  std::uint64_t decisions = 0;
  std::uint64_t equal = 0;  ///< a core whose answer differed once is not asked again, so its later decisions are not equal
  std::optional<Difference> first_difference;
  std::vector<std::string> notes;  ///< logs that are cut off
};

/// Told before each decision is taken again, with what came of those before it: so one that ends the process can be named.
using Watch = std::function<void(const Decision&, const Replayed& so_far)>;

/// One log. `file` names it. Errors: see LogReader, and records that decode to nothing a core can be told (bad_file).
core::Result<Replayed> replay(std::istream& in, const std::string& file, const Watch& watch = {});

/// A file, or every *.slog of a folder, in the order of their names.
core::Result<Replayed> replay(const std::filesystem::path& path, const Watch& watch = {});

}  // namespace spillway::decisions
