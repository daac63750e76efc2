#pragma once

#include <string_view>
#include <vector>

namespace spillway::config {

/// The candidate nearest to `word` by edits (insert, delete, change, swap of neighbours; a change of case counts a
/// quarter), or an empty view when none is near enough to be meant. Ties go to the first candidate.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace spillway::config
