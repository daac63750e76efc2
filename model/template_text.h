#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::model::jinja {

class Heap;

/// Which bytes of a text are the template's own. Runs of equal kind, kept as the places where the kind changes.
class Marks {
 public:
  bool at(std::size_t position) const;
  /// Appends `count` bytes behind `size` existing ones.
  void append(std::size_t size, std::size_t count, bool own);
  /// Appends the marks of bytes [from, to) of `other`.
  void append(std::size_t size, const Marks& other, std::size_t from, std::size_t to);
  bool uniform() const { return edges_.empty(); }
  bool first() const { return first_; }
  const std::vector<std::uint32_t>& edges() const { return edges_; }

 private:
  bool first_ = false;
  std::vector<std::uint32_t> edges_;  // ascending; at each the kind flips
};

/// A text with its marks. Immutable. Bytes that are no UTF-8 count as one character each.
class Text {
 public:
  /// `heap` null: not counted (constants of a program). Use TextBuilder.
  Text(Heap* heap, std::string bytes, Marks marks, bool markup);
  ~Text();
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  std::string_view bytes() const { return bytes_; }
  const Marks& marks() const { return marks_; }
  /// Escaped by `escape` or declared `safe`: what is added to it is escaped.
  bool markup() const { return markup_; }
  bool ascii() const { return ascii_; }
  std::size_t length() const;  ///< in characters
  /// Byte offset of a character, `index` at most length().
  std::size_t offset(std::size_t index) const;
  bool own_all(std::size_t from, std::size_t to) const;

 private:
  Heap* heap_;
  std::string bytes_;
  Marks marks_;
  bool markup_;
  bool ascii_;
};
using TextPtr = std::shared_ptr<const Text>;

/// Puts a text together. Fails (throws Failure) as soon as it would go beyond the heap's bytes.
class TextBuilder {
 public:
  explicit TextBuilder(Heap& heap) : heap_(&heap) {}
  ~TextBuilder();
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  void add(std::string_view bytes, bool own = false);
  void add(const Text& text) { add(text, 0, text.bytes().size()); }
  void add(const Text& text, std::size_t from, std::size_t to);
  /// What stands for bytes [from, to) of `text`: own where the first of them is.
  void add_for(const Text& text, std::size_t from, std::string_view bytes) { add(bytes, text.marks().at(from)); }
  void fill(char c, std::size_t count);
  std::size_t size() const { return bytes_.size(); }
  TextPtr finish(bool markup = false);

 private:
  void grow(std::size_t count);
  Heap* heap_;
  std::string bytes_;
  Marks marks_;
  std::size_t charged_ = 0;
};

TextPtr slice_text(Heap& heap, const TextPtr& text, std::size_t from, std::size_t to);

/// One character of `bytes` at `at`; moves `at` behind it. A byte that is no UTF-8 comes as 0xdc00 + byte.
char32_t next_point(std::string_view bytes, std::size_t& at);
/// Start of the character before `at` (> 0).
std::size_t before_point(std::string_view bytes, std::size_t at);
void append_point(std::string& to, char32_t point);

bool is_space(char32_t point);
bool is_printable(char32_t point);
bool is_alpha(char32_t point);
bool is_digit(char32_t point);
bool is_word(char32_t point);
bool is_upper(char32_t point);
bool is_lower(char32_t point);
/// Full mappings: "ß" becomes "SS".
void append_upper(std::string& to, char32_t point);
void append_title(std::string& to, char32_t point);
void append_lower(std::string& to, char32_t point);

/// Position of `part` in `whole` from `from` on; npos if none. Linear whatever the texts.
std::size_t find_text(std::string_view whole, std::string_view part, std::size_t from);

}  // namespace spillway::model::jinja
