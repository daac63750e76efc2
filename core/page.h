#pragma once

#include <cstdint>
#include <string_view>

#include "core/bytes.h"

namespace spillway::core {

/// How the values of a page are stored. Values are append-only: they travel and are part of the KvId.
enum class PageFormat : std::uint8_t { raw32 = 0, raw16 = 1 };

std::string_view to_string(PageFormat format);
bool parse_page_format(std::string_view text, PageFormat& format);

/// Header of a page, or of a run of its rows, on the wire. Payload bytes are little-endian in the canonical layout
/// [layer][K, V][kv head][row][head_dim]; a run of rows keeps the same order with fewer rows.
struct PageHeader {
  std::uint8_t version = 1;
  PageFormat format = PageFormat::raw16;
  std::uint16_t group = 0;        ///< KV group; 0 = full attention
  std::uint32_t first_token = 0;  ///< position of the first row carried
  std::uint16_t rows = 0;         ///< rows carried that hold data
  std::uint16_t layout = 1;       ///< permutation of bytes inside the page; 1 = canonical
  std::uint64_t checksum = 0;     ///< core::checksum64 of the payload

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version), v("format", s.format), v("group", s.group), v("first_token", s.first_token), v("rows", s.rows);
    v("layout", s.layout), v("checksum", s.checksum);
  }
  friend bool operator==(const PageHeader&, const PageHeader&) = default;
};

}  // namespace spillway::core
