#include "cluster-config/suggest.h"

#include <algorithm>
#include <cstddef>

namespace spillway::config {
namespace {

constexpr std::size_t word_bytes_max = 64;  ///< longer words are no slip of the finger; bounds the work too

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Edits in half steps: 2 for an insert, delete, change or swap, 1 for a change of case alone.
std::size_t half_edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = 2 * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = 2 * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0U : lower(a[i - 1]) == lower(b[j - 1]) ? 1U : 2U;
      row[j] = std::min({last[j] + 2, row[j - 1] + 2, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 2);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > word_bytes_max) return {};
  std::string_view best;
  // A third of the word may be wrong, and at least one letter.
  std::size_t best_edits = std::max<std::size_t>(2, word.size() / 3 * 2) + 1;
  for (const auto candidate : candidates) {
    if (candidate.size() > word_bytes_max) continue;
    const auto edits = half_edits(word, candidate);
    if (edits < best_edits) best_edits = edits, best = candidate;
  }
  return best;
}

}  // namespace spillway::config
