#include "sim/yaml.h"

#include <algorithm>
#include <optional>

#include "sim/text.h"

namespace spillway::sim {

namespace {

constexpr std::uint32_t depth_max = 32;

struct Line {
  std::uint32_t number = 0;
  std::size_t indent = 0;
  std::string_view text;  // without indentation, comment and spaces at the end; never empty
};

using Failure = tl::unexpected<core::Error>;

/// Position of the first `wanted` outside quotes and flow brackets at which `holds` is true, or npos.
template <class Predicate>
std::size_t find_bare(std::string_view text, Predicate holds) {
  char quote = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
      continue;
    }
    // A quote opens a scalar only where one can begin: "Nvidia's" is plain.
    const bool begins = i == 0 || std::string_view(" [{,:").find(text[i - 1]) != std::string_view::npos;
    if ((c == '\'' || c == '"') && begins) {
      quote = c;
      continue;
    }
    if (depth == 0 && holds(i)) return i;
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return std::string_view::npos;
}

std::string_view without_comment(std::string_view text) {
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if ((c == '\'' || c == '"') && (i == 0 || std::string_view(" [{,:").find(text[i - 1]) != std::string_view::npos)) {
      quote = c;
    } else if (c == '#' && (i == 0 || text[i - 1] == ' ')) {
      return text.substr(0, i);
    }
  }
  return text;
}

/// Where the colon behind a key stands, or npos.
std::size_t key_end(std::string_view text) {
  return find_bare(text, [text](std::size_t i) { return text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' '); });
}

int open_brackets(std::string_view text) {
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else {
      depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    }
  }
  return depth;
}

class Parser {
 public:
  explicit Parser(const std::string& path) : path_(path) {}

  std::optional<Failure> split(std::string_view text) {
    std::uint32_t number = 0;
    while (!text.empty()) {
      const auto end = text.find('\n');
      auto line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++number;
      const auto indent = line.find_first_not_of(' ');
      if (indent == std::string_view::npos) continue;
      if (line[indent] == '\t') return wrong_at(path_, number, "a tab in the indentation: want spaces");
      line = trimmed(without_comment(line.substr(indent)));
      if (line.empty() || (line == "---" && lines_.empty())) continue;
      if (line == "---" || line == "..." || line.front() == '%')
        return wrong_at(path_, number, "\"" + std::string(line) + "\": want one document without directives");
      lines_.push_back({number, indent, line});
    }
    return std::nullopt;
  }

  core::Result<YamlNode> document() {
    if (lines_.empty()) return wrong_at(path_, 1, "nothing there: want a mapping of keys");
    auto node = block(lines_.front().indent, 0);
    if (node && at_ < lines_.size()) return wrong_at(path_, lines_[at_].number, "less indented than what it belongs to: want one level");
    return node;
  }

 private:
  static bool is_item(const Line& line) { return line.text == "-" || line.text.starts_with("- "); }

  /// The mapping, list or scalar whose lines are indented by `indent`, from the current line on.
  core::Result<YamlNode> block(std::size_t indent, std::uint32_t depth) {
    const auto& first = lines_[at_];
    if (depth > depth_max) return wrong_at(path_, first.number, "nested deeper than " + std::to_string(depth_max) + " levels");
    if (is_item(first)) return list(indent, depth);
    if (key_end(first.text) == std::string_view::npos) {
      ++at_;
      return value(first.text, first.number, indent, depth);
    }
    return map(indent, depth);
  }

  core::Result<YamlNode> map(std::size_t indent, std::uint32_t depth) {
    YamlNode node;
    node.kind = YamlNode::Kind::map;
    node.line = lines_[at_].number;
    while (at_ < lines_.size() && lines_[at_].indent == indent && !is_item(lines_[at_])) {
      const auto line = lines_[at_];
      const auto colon = key_end(line.text);
      if (colon == std::string_view::npos) return wrong_at(path_, line.number, "\"" + std::string(line.text) + "\": want \"key: value\"");
      auto key = scalar(trimmed(line.text.substr(0, colon)), line.number);
      if (!key) return key;
      if (node.find(key->scalar) != nullptr)
        return wrong_at(path_, line.number, "the key " + key->scalar + " stands there twice: want it once");
      ++at_;
      auto inner = value(trimmed(line.text.substr(colon + 1)), line.number, indent, depth);
      if (!inner) return inner;
      node.keys.push_back(std::move(key->scalar));
      node.list.push_back(std::move(*inner));
    }
    return deeper_is_wrong(indent, std::move(node));
  }

  core::Result<YamlNode> list(std::size_t indent, std::uint32_t depth) {
    YamlNode node;
    node.kind = YamlNode::Kind::list;
    node.line = lines_[at_].number;
    while (at_ < lines_.size() && lines_[at_].indent == indent && is_item(lines_[at_])) {
      auto& line = lines_[at_];
      const auto text = trimmed(line.text.substr(1));
      core::Result<YamlNode> inner;
      if (!text.empty() && (key_end(text) != std::string_view::npos || text.starts_with("- "))) {
        // "- key: value": the rest of the line begins a block of its own, indented by where it stands.
        const auto shift = static_cast<std::size_t>(text.data() - line.text.data());
        line = {line.number, line.indent + shift, text};
        inner = block(line.indent, depth + 1);
      } else {
        ++at_;
        inner = value(text, line.number, indent, depth);
      }
      if (!inner) return inner;
      node.list.push_back(std::move(*inner));
    }
    return deeper_is_wrong(indent, std::move(node));
  }

  core::Result<YamlNode> deeper_is_wrong(std::size_t indent, YamlNode&& node) const {
    if (at_ < lines_.size() && lines_[at_].indent > indent)
      return wrong_at(path_, lines_[at_].number, "deeper indented than the line before it allows: want one level a value");
    return std::move(node);
  }

  /// What stands behind a key or a dash of a line indented by `indent`: a scalar, a flow collection, or the block below.
  core::Result<YamlNode> value(std::string_view text, std::uint32_t number, std::size_t indent, std::uint32_t depth) {
    const bool below = at_ < lines_.size() && (lines_[at_].indent > indent || (lines_[at_].indent == indent && is_item(lines_[at_])));
    if (text.empty()) {
      if (below) return block(lines_[at_].indent, depth + 1);
      return YamlNode{.kind = YamlNode::Kind::scalar, .line = number, .scalar = {}, .keys = {}, .list = {}};
    }
    std::string whole(text);
    const bool is_flow = text.front() == '[' || text.front() == '{';
    const bool is_quoted = text.front() == '\'' || text.front() == '"';
    while (at_ < lines_.size() && lines_[at_].indent > indent && (is_flow ? open_brackets(whole) > 0 : !is_quoted)) {
      if (!is_flow && key_end(lines_[at_].text) != std::string_view::npos)
        return wrong_at(path_, lines_[at_].number, "a mapping below a value: want either");
      whole += " " + std::string(lines_[at_++].text);
    }
    if (!is_flow) return scalar(whole, number);
    std::string_view rest = whole;
    auto node = flow(rest, number, depth);
    if (node && !trimmed(rest).empty())
      return wrong_at(path_, number, "\"" + std::string(rest) + "\" behind a closing bracket: want nothing");
    return node;
  }

  core::Result<YamlNode> scalar(std::string_view text, std::uint32_t number) const {
    YamlNode node;
    node.line = number;
    if (text.empty()) return node;
    const char first = text.front();
    if (first == '\'' || first == '"') {
      if (text.size() < 2 || text.back() != first)
        return wrong_at(path_, number, std::string(text) + ": want the closing quote on the same line");
      text = text.substr(1, text.size() - 2);
      if (text.find(first) != std::string_view::npos || (first == '"' && text.find('\\') != std::string_view::npos))
        return wrong_at(path_, number, "quotes or escapes inside a quoted text: want it without");
    } else if (std::string_view("&*!|>@`%").find(first) != std::string_view::npos) {
      return wrong_at(path_, number, "\"" + std::string(text) + "\": anchors, tags and block scalars are not read; want a plain value");
    }
    node.scalar = text;
    return node;
  }

  /// One value of a flow collection; takes it off the front of `rest`.
  core::Result<YamlNode> flow(std::string_view& rest, std::uint32_t number, std::uint32_t depth) const {
    rest = trimmed(rest);
    if (depth > depth_max) return wrong_at(path_, number, "nested deeper than " + std::to_string(depth_max) + " levels");
    if (rest.empty() || (rest.front() != '[' && rest.front() != '{')) {
      const auto end = find_bare(rest, [&](std::size_t i) { return rest[i] == ',' || rest[i] == ']' || rest[i] == '}'; });
      const auto text = trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end, rest.size()));
      return scalar(text, number);
    }
    const char close = rest.front() == '[' ? ']' : '}';
    YamlNode node;
    node.kind = close == ']' ? YamlNode::Kind::list : YamlNode::Kind::map;
    node.line = number;
    rest = trimmed(rest.substr(1));
    while (!rest.empty() && rest.front() != close) {
      std::string key;
      if (close == '}') {
        const auto colon = key_end(rest);
        if (colon == std::string_view::npos) return wrong_at(path_, number, "no \"key: value\" in a flow mapping: want {key: value, ...}");
        auto name = scalar(trimmed(rest.substr(0, colon)), number);
        if (!name) return name;
        if (node.find(name->scalar) != nullptr)
          return wrong_at(path_, number, "the key " + name->scalar + " stands there twice: want it once");
        key = std::move(name->scalar);
        rest.remove_prefix(colon + 1);
      }
      auto inner = flow(rest, number, depth + 1);
      if (!inner) return inner;
      if (close == '}') node.keys.push_back(std::move(key));
      node.list.push_back(std::move(*inner));
      rest = trimmed(rest);
      if (!rest.empty() && rest.front() == ',') rest = trimmed(rest.substr(1));
      else if (rest.empty() || rest.front() != close) break;
    }
    if (rest.empty() || rest.front() != close) return wrong_at(path_, number, std::string("no closing ") + close + ": want it");
    rest.remove_prefix(1);
    return node;
  }

  const std::string& path_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  const auto it = std::find(keys.begin(), keys.end(), key);
  return it == keys.end() ? nullptr : &list[static_cast<std::size_t>(it - keys.begin())];
}

core::Result<YamlNode> parse_yaml(const std::string& path, std::string_view text) {
  Parser parser(path);
  if (auto failure = parser.split(text)) return std::move(*failure);
  return parser.document();
}

}  // namespace spillway::sim
