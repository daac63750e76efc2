#include "model/grammar_ast.h"

#include <algorithm>

namespace spillway::model {

std::vector<CharRange> normal_ranges(std::vector<CharRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const CharRange& a, const CharRange& b) { return a.first < b.first; });
  std::vector<CharRange> joined;
  for (const auto& range : ranges) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

std::vector<CharRange> complement(std::vector<CharRange> ranges) {
  std::vector<CharRange> others;
  char32_t next = 0;
  for (const auto& range : normal_ranges(std::move(ranges))) {
    if (range.first > next) others.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= code_point_max) others.push_back({next, code_point_max});
  return others;
}

std::vector<CharRange> intersection(const std::vector<CharRange>& a, const std::vector<CharRange>& b) {
  std::vector<CharRange> both;
  for (const auto& x : a) {
    for (const auto& y : b) {
      const CharRange common{std::max(x.first, y.first), std::min(x.last, y.last)};
      if (common.first <= common.last) both.push_back(common);
    }
  }
  return normal_ranges(std::move(both));
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto byte = [&out](char32_t value) { out.push_back(static_cast<char>(value)); };
  if (code_point < 0x80) return byte(code_point);
  if (code_point < 0x800) {
    byte(0xC0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      byte(0xE0 | code_point >> 12);
    } else {
      byte(0xF0 | code_point >> 18);
      byte(0x80 | (code_point >> 12 & 0x3F));
    }
    byte(0x80 | (code_point >> 6 & 0x3F));
  }
  byte(0x80 | (code_point & 0x3F));
}

}  // namespace spillway::model
