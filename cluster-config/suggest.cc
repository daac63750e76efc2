#include "cluster-config/suggest.h"

#include <algorithm>
#include <cstddef>

namespace spillway::config {
namespace {

constexpr std::size_t word_bytes_max = 64;  ///< longer words are no slip of the finger; bounds the work too

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::size_t edit = 4;  ///< an insert, delete, change or swap
constexpr std::size_t case_edit = 1;

/// Cost of turning `a` into `b`.
std::size_t cost_of(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = edit * j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = edit * i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? std::size_t{0} : lower(a[i - 1]) == lower(b[j - 1]) ? case_edit : edit;
      row[j] = std::min({last[j] + edit, row[j - 1] + edit, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + edit);
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
  std::size_t best_cost = std::max<std::size_t>(1, word.size() / 3) * edit + 1;
  for (const auto candidate : candidates) {
    if (candidate.size() > word_bytes_max) continue;
    const auto cost = cost_of(word, candidate);
    if (cost < best_cost) best_cost = cost, best = candidate;
  }
  return best;
}

}  // namespace spillway::config
