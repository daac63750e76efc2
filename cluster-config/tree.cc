#include "cluster-config/tree.h"

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <exception>

namespace spillway::config {
namespace {

constexpr std::size_t shown_bytes_max = 60;

/// Walks a text as TOML's lexer would (strings and comments aside) and finds the first line on which a key has more parts, or
/// a value more brackets around it, than `depth_max`. 0 = none.
class DepthScan {
 public:
  explicit DepthScan(std::string_view text) : text_{text} {}

  std::uint32_t run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        skip_comment();
      } else if (c == '"' || c == '\'') {
        skip_string(c);
      } else {
        if (!step(c)) return line_;
        ++at_;
      }
    }
    return 0;
  }

 private:
  bool step(char c) {
    switch (c) {
      case '\n': ++line_, parts_ = 0; break;
      case '.': ++parts_; break;
      case '[':
      case '{': ++brackets_, parts_ = 0; break;
      case ']':
      case '}': brackets_ -= brackets_ > 0 ? 1U : 0U, parts_ = 0; break;
      case ',':
      case '=': parts_ = 0; break;
      default: break;
    }
    return parts_ <= depth_max && brackets_ <= depth_max;
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool multi = text_.substr(at_).starts_with(three);
    at_ += multi ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        if (!multi) return;  // unterminated: the parser will say so
        ++line_;
      }
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        at_ += 2;
        continue;
      }
      if (multi ? text_.substr(at_).starts_with(three) : c == quote) {
        at_ += multi ? 3 : 1;
        return;
      }
      ++at_;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t parts_ = 0;
  std::uint32_t brackets_ = 0;
};

void convert(const toml::node& node, Tree& out);

void convert_table(const toml::table& table, Tree& out) {
  out.kind = Tree::Kind::table;
  out.children.reserve(table.size());
  for (const auto& [key, value] : table) {
    auto& child = out.children.emplace_back();
    child.key = key.str();
    child.line = key.source().begin.line;
    child.column = key.source().begin.column;
    convert(value, child);
  }
  std::stable_sort(out.children.begin(), out.children.end(), [](const Tree& a, const Tree& b) {
    return std::pair{a.line, a.column} < std::pair{b.line, b.column};
  });
}

void convert(const toml::node& node, Tree& out) {
  if (out.line == 0) {
    out.line = node.source().begin.line;
    out.column = node.source().begin.column;
  }
  if (const auto* table = node.as_table()) return convert_table(*table, out);
  if (const auto* array = node.as_array()) {
    out.kind = Tree::Kind::list;
    out.children.reserve(array->size());
    for (const auto& item : *array) convert(item, out.children.emplace_back());
  } else if (const auto* text = node.as_string()) {
    out.kind = Tree::Kind::text, out.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    out.kind = Tree::Kind::integer, out.integer = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    out.kind = Tree::Kind::real, out.real = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.kind = Tree::Kind::boolean, out.boolean = boolean->get();
  } else {
    out.kind = Tree::Kind::time;
  }
}

ConfigError syntax_error(std::string_view file, std::uint32_t line, std::string_view what) {
  ConfigError error;
  error.kind = ErrorKind::syntax;
  error.file = file;
  error.line = line;
  error.want = "want TOML: " + clean(what, 200);
  error.fix = "correct this line (https://toml.io has the grammar)";
  return error;
}

}  // namespace

const Tree* Tree::child(std::string_view name) const {
  for (const auto& each : children) {
    if (each.key == name) return &each;
  }
  return nullptr;
}

tl::expected<Tree, ConfigError> parse_tree(std::string_view text, std::string_view file) {
  if (const auto line = DepthScan{text}.run(); line != 0) {
    ConfigError error;
    error.kind = ErrorKind::too_deep;
    error.file = file;
    error.line = line;
    error.want = "want at most " + std::to_string(depth_max) + " tables or lists inside each other";
    error.fix = "no key of Spillway lies deeper than four; look for a missing bracket or quote above this line";
    return tl::make_unexpected(std::move(error));
  }
  try {
    const auto table = toml::parse(text);
    Tree root;
    root.line = 1;
    convert_table(table, root);
    return root;
  } catch (const toml::parse_error& error) {
    return tl::make_unexpected(syntax_error(file, error.source().begin.line, error.description()));
  } catch (const std::exception& error) {
    return tl::make_unexpected(syntax_error(file, 1, error.what()));
  }
}

std::string clean(std::string_view text, std::size_t bytes_max) {
  std::string out{text.substr(0, bytes_max)};
  if (text.size() > bytes_max) {
    // Step back over the continuation bytes of a character that was cut, and over its first byte.
    auto cut = bytes_max;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
    out.resize(cut);
    out += "...";
  }
  for (auto& c : out) {
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = '?';
  }
  return out;
}

std::string show(const Tree& tree) {
  switch (tree.kind) {
    case Tree::Kind::table: return "a table";
    case Tree::Kind::list: return "a list of " + std::to_string(tree.children.size());
    case Tree::Kind::text: return '"' + clean(tree.text, shown_bytes_max) + '"';
    case Tree::Kind::integer: return std::to_string(tree.integer);
    case Tree::Kind::boolean: return tree.boolean ? "true" : "false";
    case Tree::Kind::time: return "a date or time";
    case Tree::Kind::real: break;
  }
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, tree.real).ptr;
  return std::string(buffer, end);
}

}  // namespace spillway::config
