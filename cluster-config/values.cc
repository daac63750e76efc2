#include "cluster-config/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "cluster-config/load.h"
#include "cluster-config/rungs.h"
#include "cluster-config/secrets.h"
#include "cluster-config/suggest.h"
#include "cluster-config/units.h"

namespace spillway::config {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_word(std::string_view text, std::string_view marks, std::size_t bytes_max) {
  if (text.empty() || text.size() > bytes_max || !is_alnum(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [marks](char c) { return is_alnum(c) || marks.find(c) != std::string_view::npos; });
}

/// A key that is being read: all that an error needs.
struct Site {
  const KeySpec& key;
  const std::string& path;
  Report& report;

  std::string want() const { return "want " + wish(key); }
  std::string try_this() const {
    if (key.type == Type::key || key.type == Type::keys)
      return "run `spillway keys new --out keys/NAME.key` and put the printed public key here";
    if (key.type == Type::secret) return "run `spillway keys secret` and put what it prints here";
    return "for example: " + std::string{key.example};
  }
  std::optional<Value> fail(ErrorKind kind, std::string fix) const {
    report.add(kind, path, want(), std::move(fix));
    return std::nullopt;
  }
  std::optional<Value> fail(ErrorKind kind) const { return fail(kind, try_this()); }
  std::optional<Value> in_range(std::uint64_t number) const {
    if (number < key.min || number > key.max) return fail(ErrorKind::out_of_range);
    return Value{number, {}, {}};
  }
};

std::optional<Value> read_count(const Site& site, const Tree& tree) {
  if (tree.kind != Tree::Kind::integer) return site.fail(ErrorKind::wrong_type);
  if (tree.integer < 0) return site.fail(ErrorKind::out_of_range);
  return site.in_range(static_cast<std::uint64_t>(tree.integer));
}

/// Sizes, durations, bandwidths. The number 0 needs no unit.
std::optional<Value> read_quantity(const Site& site, const Tree& tree) {
  if (tree.kind == Tree::Kind::integer) {
    if (tree.integer == 0) return site.in_range(0);
    return site.fail(ErrorKind::bad_unit, "write it in quotes with its unit, " + site.try_this());
  }
  if (tree.kind != Tree::Kind::text) return site.fail(ErrorKind::wrong_type);
  const auto number = site.key.type == Type::size       ? parse_size(tree.text)
                      : site.key.type == Type::duration ? parse_duration(tree.text)
                                                        : parse_bandwidth(tree.text);
  if (!number) return site.fail(ErrorKind::bad_unit);
  return site.in_range(*number);
}

std::optional<std::uint64_t> word_index(const Site& site, const Tree& tree) {
  if (tree.kind != Tree::Kind::text) {
    site.report.add_at(ErrorKind::wrong_type, site.path, tree, site.want(), site.try_this());
    return std::nullopt;
  }
  const auto& words = site.key.words;
  const auto found = std::find(words.begin(), words.end(), tree.text);
  if (found != words.end()) return static_cast<std::uint64_t>(found - words.begin());
  const auto near = nearest(tree.text, {words.begin(), words.end()});
  auto fix = near.empty() ? site.try_this() : "did you mean \"" + std::string{near} + "\"?";
  site.report.add_at(ErrorKind::bad_choice, site.path, tree, site.want(), std::move(fix));
  return std::nullopt;
}

std::optional<Value> read_choice(const Site& site, const Tree& tree) {
  const auto index = word_index(site, tree);
  if (!index) return std::nullopt;
  return Value{*index, {}, {}};
}

bool check_list(const Site& site, const Tree& tree) {
  if (tree.kind != Tree::Kind::list) {
    site.fail(ErrorKind::wrong_type);
    return false;
  }
  if (tree.children.size() < site.key.min || tree.children.size() > site.key.max) {
    site.fail(ErrorKind::out_of_range);
    return false;
  }
  return true;
}

std::optional<Value> read_choices(const Site& site, const Tree& tree) {
  if (!check_list(site, tree)) return std::nullopt;
  Value value;
  for (const auto& each : tree.children) {
    const auto index = word_index(site, each);
    if (!index) return std::nullopt;
    const auto bit = 1ULL << *index;
    if ((value.number & bit) != 0) {
      site.report.add_at(ErrorKind::duplicate, site.path, each, "want each word once", "leave the second one out");
      return std::nullopt;
    }
    value.number |= bit;
  }
  return value;
}

std::optional<Value> read_texts(const Site& site, const Tree& tree) {
  if (!check_list(site, tree)) return std::nullopt;
  Value value;
  const bool keys = site.key.type == Type::keys;
  for (const auto& each : tree.children) {
    if (each.kind != Tree::Kind::text) {
      site.report.add_at(ErrorKind::wrong_type, site.path, each, site.want(), site.try_this());
      return std::nullopt;
    }
    if (!(keys ? is_curve_key(each.text) : is_model_name(each.text))) {
      site.report.add_at(keys ? ErrorKind::bad_key : ErrorKind::bad_name, site.path, each, site.want(), site.try_this());
      return std::nullopt;
    }
    value.texts.push_back(each.text);
  }
  auto sorted = value.texts;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return site.fail(ErrorKind::duplicate, "\"" + *std::adjacent_find(sorted.begin(), sorted.end()) + "\" stands in it twice");
  }
  return value;
}

std::optional<Value> read_rungs(const Site& site, const Tree& tree) {
  if (!check_list(site, tree)) return std::nullopt;
  Value value;
  std::uint32_t kinds = 0;
  for (const auto& each : tree.children) {
    if (each.kind != Tree::Kind::text) {
      site.report.add_at(ErrorKind::wrong_type, site.path, each, site.want(), site.try_this());
      return std::nullopt;
    }
    const auto rung = parse_rung(each.text);
    if (!rung) {
      site.report.add_at(ErrorKind::bad_choice, site.path, each, site.want(), site.try_this());
      return std::nullopt;
    }
    const auto bit = 1U << static_cast<unsigned>(rung->kind);
    if ((kinds & bit) != 0) {
      site.report.add_at(ErrorKind::duplicate, site.path, each, "want each kind of rung once", "leave the second one out");
      return std::nullopt;
    }
    kinds |= bit;
    value.texts.push_back(each.text);
  }
  return value;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; });
}

/// The error of a text that does not fit its type; nothing when it fits.
std::optional<ErrorKind> text_error(const KeySpec& key, const std::string& text) {
  switch (key.type) {
    case Type::name: return is_name(text) ? std::nullopt : std::optional{ErrorKind::bad_name};
    case Type::pattern: return parse_range(text) ? std::nullopt : std::optional{ErrorKind::bad_pool};
    case Type::key: return is_curve_key(text) ? std::nullopt : std::optional{ErrorKind::bad_key};
    case Type::secret: return is_secret(text) ? std::nullopt : std::optional{ErrorKind::bad_secret};
    case Type::address: {
      // `{n}` stands for a number in the addresses of pools; loading refuses it where there is none.
      auto plain = text;
      if (const auto at = plain.find("{n}"); at != std::string::npos) plain.replace(at, 3, "1");
      return is_address(plain) ? std::nullopt : std::optional{ErrorKind::bad_address};
    }
    default:
      if (text.size() < key.min || text.size() > key.max || has_control(text)) return ErrorKind::bad_name;
      return std::nullopt;
  }
}

std::optional<Value> read_text(const Site& site, const Tree& tree) {
  if (tree.kind != Tree::Kind::text) return site.fail(ErrorKind::wrong_type);
  if (const auto kind = text_error(site.key, tree.text)) return site.fail(*kind);
  return Value{0, tree.text, {}};
}

}  // namespace

bool is_name(std::string_view text) {
  return is_word(text, "._-", 63);
}
bool is_model_name(std::string_view text) {
  return is_word(text, "._-/:", 127);
}

bool is_secret(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

bool is_address(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  in6_addr scratch{};
  if (text.front() == '[') {
    if (text.size() < 4 || text.back() != ']') return false;
    return inet_pton(AF_INET6, std::string{text.substr(1, text.size() - 2)}.c_str(), &scratch) == 1;
  }
  if (std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; })) {
    return inet_pton(AF_INET, std::string{text}.c_str(), &scratch) == 1;
  }
  while (!text.empty()) {
    const auto label = text.substr(0, text.find('.'));
    if (!is_word(label, "-_", 63) || label.back() == '-') return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
  return false;  // a dot at the end
}

bool is_loopback(std::string_view address) {
  if (address == "localhost") return true;
  in6_addr v6{};
  if (address.size() > 2 && address.front() == '[') {
    return inet_pton(AF_INET6, std::string{address.substr(1, address.size() - 2)}.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
  }
  in_addr v4{};
  return inet_pton(AF_INET, std::string{address}.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

std::string NameRange::number(std::uint32_t value) const {
  auto text = std::to_string(value);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

std::optional<NameRange> parse_range(std::string_view text) {
  const auto open = text.find('[');
  const auto dash = text.find('-', open == std::string_view::npos ? text.size() : open);
  const auto close = text.find(']');
  if (open == std::string_view::npos || dash == std::string_view::npos || close == std::string_view::npos || dash > close)
    return std::nullopt;
  NameRange range;
  range.before = text.substr(0, open);
  range.behind = text.substr(close + 1);
  const auto number = [](std::string_view digits, std::uint32_t& out) {
    const auto* end = digits.data() + digits.size();
    return !digits.empty() && digits.size() <= 6 && std::from_chars(digits.data(), end, out).ptr == end;
  };
  const auto first = text.substr(open + 1, dash - open - 1);
  if (!number(first, range.first) || !number(text.substr(dash + 1, close - dash - 1), range.last)) return std::nullopt;
  if (first.size() > 1 && first.front() == '0') range.digits = static_cast<std::uint32_t>(first.size());
  if (range.last < range.first || range.last - range.first >= nodes_max) return std::nullopt;
  if (!is_name(range.name(range.first)) || !is_name(range.name(range.last))) return std::nullopt;
  return range;
}

std::optional<Value> read_value(const KeySpec& key, const Tree& tree, const std::string& path, Report& report) {
  const Site site{key, path, report};
  switch (key.type) {
    case Type::boolean:
      if (tree.kind != Tree::Kind::boolean) return site.fail(ErrorKind::wrong_type);
      return Value{tree.boolean ? 1U : 0U, {}, {}};
    case Type::count: return read_count(site, tree);
    case Type::size:
    case Type::duration:
    case Type::bandwidth: return read_quantity(site, tree);
    case Type::choice: return read_choice(site, tree);
    case Type::choices: return read_choices(site, tree);
    case Type::names:
    case Type::keys: return read_texts(site, tree);
    case Type::rungs: return read_rungs(site, tree);
    default: return read_text(site, tree);
  }
}

void read_keys(const Section& section, const Tree& table, const std::string& path, void* target, Report& report) {
  const auto full = [&path](std::string_view name) { return path.empty() ? std::string{name} : path + '.' + std::string{name}; };
  const auto tables = inner_tables(section.pattern);
  for (const auto& child : table.children) {
    if (std::find(tables.begin(), tables.end(), child.key) != tables.end()) continue;
    const auto name = full(clean(child.key, 60));
    report.place(name, child);
    const auto spec = std::find_if(section.keys.begin(), section.keys.end(), [&](const KeySpec& key) { return key.name == child.key; });
    if (spec != section.keys.end()) {
      if (const auto value = read_value(*spec, child, name, report)) spec->set(target, *value);
      continue;
    }
    std::vector<std::string_view> known{tables};
    for (const auto& key : section.keys) known.push_back(key.name);
    const auto near = nearest(child.key, known);
    report.add(ErrorKind::unknown_key, name, "is no key of Spillway",
               near.empty() ? "`spillway config reference` lists all keys" : "did you mean `" + std::string{near} + "`?");
  }
  for (const auto& key : section.keys) {
    if (!key.required || table.child(key.name) != nullptr || section.pattern.empty()) continue;
    report.add(ErrorKind::missing_key, full(key.name), "is missing: want " + wish(key), "add `" + std::string{key.example} + "`");
  }
}

}  // namespace spillway::config
