#include "model/template_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "model/template_value.h"

namespace spillway::model::jinja {

bool Marks::at(std::size_t position) const {
  if (edges_.empty()) return first_;
  const auto behind = std::upper_bound(edges_.begin(), edges_.end(), position) - edges_.begin();
  return first_ != ((behind & 1) != 0);
}

void Marks::append(std::size_t size, std::size_t count, bool own) {
  if (count == 0) return;
  if (size == 0) {
    first_ = own;
    edges_.clear();
    return;
  }
  const bool last = first_ != ((edges_.size() & 1) != 0);
  if (last != own) edges_.push_back(static_cast<std::uint32_t>(size));
}

void Marks::append(std::size_t size, const Marks& other, std::size_t from, std::size_t to) {
  if (other.edges_.empty()) return append(size, to - from, other.first_);
  auto edge = std::upper_bound(other.edges_.begin(), other.edges_.end(), from);
  bool own = other.at(from);
  while (from < to) {
    const std::size_t end = edge == other.edges_.end() ? to : std::min<std::size_t>(*edge, to);
    append(size, end - from, own);
    size += end - from;
    from = end;
    own = !own;
    if (edge != other.edges_.end()) ++edge;
  }
}

namespace {

bool all_ascii(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

std::size_t cost(std::size_t bytes, const Marks& marks) {
  return bytes + marks.edges().size() * sizeof(std::uint32_t) + sizeof(Text) + 32;
}

}  // namespace

Text::Text(Heap* heap, std::string bytes, Marks marks, bool markup)
    : heap_(heap), bytes_(std::move(bytes)), marks_(std::move(marks)), markup_(markup), ascii_(all_ascii(bytes_)) {
  if (heap_ != nullptr) heap_->take(cost(bytes_.size(), marks_));
}

Text::~Text() {
  if (heap_ != nullptr) heap_->give(cost(bytes_.size(), marks_));
}

std::size_t Text::length() const {
  if (ascii_) return bytes_.size();
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes_.size(); ++count) next_point(bytes_, at);
  return count;
}

std::size_t Text::offset(std::size_t index) const {
  if (ascii_) return std::min(index, bytes_.size());
  std::size_t at = 0;
  for (; index > 0 && at < bytes_.size(); --index) next_point(bytes_, at);
  return at;
}

bool Text::own_all(std::size_t from, std::size_t to) const {
  if (marks_.uniform()) return marks_.first();
  if (!marks_.at(from)) return false;
  const auto& edges = marks_.edges();
  const auto edge = std::upper_bound(edges.begin(), edges.end(), from);
  return edge == edges.end() || *edge >= to;
}

TextBuilder::~TextBuilder() {
  heap_->give(charged_);
}

void TextBuilder::grow(std::size_t count) {
  constexpr std::size_t text_bytes_max = 1U << 31;  // marks have 32 bits
  if (count > text_bytes_max - bytes_.size()) fail_limit("a text of more than 2 GiB");
  const std::size_t wanted = bytes_.size() + count;
  if (wanted > charged_) {
    const std::size_t more = std::max(wanted - charged_, charged_);  // as std::string grows
    heap_->check(more);
    heap_->take(more);
    charged_ += more;
  }
  heap_->spend(count / 64);
}

void TextBuilder::add(std::string_view bytes, bool own) {
  grow(bytes.size());
  marks_.append(bytes_.size(), bytes.size(), own);
  bytes_.append(bytes);
}

void TextBuilder::add(const Text& text, std::size_t from, std::size_t to) {
  if (from >= to) return;
  grow(to - from);
  const std::size_t edges = marks_.edges().size();
  marks_.append(bytes_.size(), text.marks(), from, to);
  const std::size_t more = (marks_.edges().size() - edges) * sizeof(std::uint32_t) * 2;
  heap_->check(more);
  heap_->take(more);
  charged_ += more;
  bytes_.append(text.bytes().substr(from, to - from));
}

void TextBuilder::fill(char c, std::size_t count) {
  grow(count);
  marks_.append(bytes_.size(), count, false);
  bytes_.append(count, c);
}

TextPtr TextBuilder::finish(bool markup) {
  heap_->give(charged_);
  charged_ = 0;
  auto text = std::make_shared<const Text>(heap_, std::move(bytes_), std::move(marks_), markup);
  bytes_.clear();
  marks_ = {};
  heap_->check(0);
  return text;
}

TextPtr slice_text(Heap& heap, const TextPtr& text, std::size_t from, std::size_t to) {
  if (from == 0 && to == text->bytes().size()) return text;
  TextBuilder out(heap);
  out.add(*text, from, to);
  return out.finish(text->markup());
}

char32_t next_point(std::string_view bytes, std::size_t& at) {
  const auto byte = static_cast<unsigned char>(bytes[at]);
  if (byte < 0x80) {
    ++at;
    return byte;
  }
  utf8proc_int32_t point = -1;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(bytes.data() + at),
                                       static_cast<utf8proc_ssize_t>(std::min<std::size_t>(bytes.size() - at, 4)), &point);
  if (length <= 0 || point < 0) {
    ++at;
    return 0xdc00U + byte;
  }
  at += static_cast<std::size_t>(length);
  return static_cast<char32_t>(point);
}

std::size_t before_point(std::string_view bytes, std::size_t at) {
  for (std::size_t back = 2; back <= 4 && back <= at; ++back) {
    std::size_t start = at - back;
    if ((static_cast<unsigned char>(bytes[start]) & 0xc0U) != 0xc0U) continue;
    next_point(bytes, start);
    return start == at ? at - back : at - 1;
  }
  return at - 1;
}

void append_point(std::string& to, char32_t point) {
  if (point >= 0xdc80 && point <= 0xdcff) {
    to += static_cast<char>(point - 0xdc00);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(point), bytes);
  to.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(std::max<utf8proc_ssize_t>(length, 0)));
}

bool is_space(char32_t point) {
  if (point < 0x80) return (point >= 9 && point <= 13) || (point >= 0x1c && point <= 0x20);
  return point == 0x85 || point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
         point == 0x202f || point == 0x205f || point == 0x3000;
}

namespace {

utf8proc_category_t category(char32_t point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(point));
}

struct Expansion {
  char32_t point;
  const char* upper;
  const char* title;
};
/// Characters whose upper case has several: the Latin ones of SpecialCasing.
constexpr Expansion expansions[] = {{0xdf, "SS", "Ss"},
                                    {0x149, "\xca\xbcN", "\xca\xbcN"},
                                    {0x1f0, "J\xcc\x8c", "J\xcc\x8c"},
                                    {0xfb00, "FF", "Ff"},
                                    {0xfb01, "FI", "Fi"},
                                    {0xfb02, "FL", "Fl"},
                                    {0xfb03, "FFI", "Ffi"},
                                    {0xfb04, "FFL", "Ffl"},
                                    {0xfb05, "ST", "St"},
                                    {0xfb06, "ST", "St"},
                                    {0x1e96, "H\xcc\xb1", "H\xcc\xb1"},
                                    {0x1e97, "T\xcc\x88", "T\xcc\x88"},
                                    {0x1e98, "W\xcc\x8a", "W\xcc\x8a"},
                                    {0x1e99, "Y\xcc\x8a", "Y\xcc\x8a"}};

const Expansion* expansion_of(char32_t point) {
  for (const auto& expansion : expansions) {
    if (expansion.point == point) return &expansion;
  }
  return nullptr;
}

}  // namespace

bool is_printable(char32_t point) {
  if (point < 0x7f) return point >= 0x20;
  switch (category(point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

bool is_alpha(char32_t point) {
  const auto c = category(point);
  return c == UTF8PROC_CATEGORY_LU || c == UTF8PROC_CATEGORY_LL || c == UTF8PROC_CATEGORY_LT || c == UTF8PROC_CATEGORY_LM ||
         c == UTF8PROC_CATEGORY_LO;
}

bool is_digit(char32_t point) {
  return point < 0x80 ? point >= '0' && point <= '9' : category(point) == UTF8PROC_CATEGORY_ND;
}

bool is_word(char32_t point) {
  const auto c = category(point);
  return point == '_' || is_alpha(point) || c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

bool is_upper(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LU;
}

bool is_lower(char32_t point) {
  return category(point) == UTF8PROC_CATEGORY_LL || point == 0xaa || point == 0xba;
}

void append_upper(std::string& to, char32_t point) {
  if (const auto* special = expansion_of(point)) to += special->upper;
  else append_point(to, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(point))));
}

void append_title(std::string& to, char32_t point) {
  if (const auto* special = expansion_of(point)) to += special->title;
  else append_point(to, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(point))));
}

void append_lower(std::string& to, char32_t point) {
  if (point == 0x130) to += "i\xcc\x87";
  else append_point(to, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point))));
}

std::size_t find_text(std::string_view whole, std::string_view part, std::size_t from) {
  if (from > whole.size()) return std::string_view::npos;
  if (part.empty()) return from;
  const void* found = ::memmem(whole.data() + from, whole.size() - from, part.data(), part.size());
  return found == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const char*>(found) - whole.data());
}

}  // namespace spillway::model::jinja
