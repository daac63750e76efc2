#include "tests/cluster-config/config_mutations.h"

#include <array>
#include <string_view>

#include "core/philox.h"

namespace spillway::config {
namespace {

constexpr std::size_t text_bytes_max = 64U << 10;

const std::vector<std::string>& hostile_values() {
  static const std::vector<std::string> values{"-1",
                                               "0",
                                               "1",
                                               "9223372036854775807",
                                               "-9223372036854775808",
                                               "99999999999999999999",
                                               "1e308",
                                               "nan",
                                               "-inf",
                                               "0x7fffffffffffffff",
                                               "\"\"",
                                               "\"x\"",
                                               "\"a b\"",
                                               "\"\\u0000\"",
                                               "\"1TiB\"",
                                               "\"999999h\"",
                                               "\"0ns\"",
                                               "\"1B/s\"",
                                               "\"-5ms\"",
                                               "\"18446744073709551616B\"",
                                               "true",
                                               "[]",
                                               "[[]]",
                                               "[1, \"a\"]",
                                               "[\"router\", \"router\"]",
                                               "{}",
                                               "{a = {b = 1}}",
                                               "1979-05-27T07:32:00Z",
                                               "\"e[1-1024]\"",
                                               "\"e[5-1]\"",
                                               "\"10.9.8.7\"",
                                               "\"{n}\"",
                                               '"' + std::string(3000, 'y') + '"',
                                               "\"\xff\xfe\"",
                                               "'''\n\n'''",
                                               "",
                                               "= 1"};
  return values;
}

struct Lines {
  std::vector<std::string> all;
  explicit Lines(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      all.push_back(text.substr(at, end == std::string::npos ? end : end - at));
      at = end == std::string::npos ? text.size() : end + 1;
    }
  }
  /// The text with line `index` replaced, or without it.
  std::string with(std::size_t index, const std::string& line, bool drop = false) const {
    std::string out;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == index && drop) continue;
      out += (i == index ? line : all[i]) + '\n';
    }
    return out;
  }
};

constexpr std::array<std::string_view, 20> pieces{"[[nodes]]\n",
                                                  "[pools]\n",
                                                  "[models.x]\n",
                                                  "[limits]\n",
                                                  " = ",
                                                  "\"",
                                                  "'''",
                                                  "\"\"\"",
                                                  "{a.b.c.d = [",
                                                  "]]]]",
                                                  "version = 2\n",
                                                  "name = \"n\"\n",
                                                  "[[[[[[[[[[[[[[[[[[[[",
                                                  ".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
                                                  "\\u12",
                                                  "#",
                                                  "[[security.tokens]]\n",
                                                  "kind = \"paced\"\n",
                                                  "\xc3",
                                                  "1979-05-27"};

}  // namespace

std::size_t Dice::below(std::size_t bound) {
  const auto words = core::philox4x32({draws_++, 0, 0, 0}, {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  return (static_cast<std::uint64_t>(words[1]) << 32 | words[0]) % bound;
}

std::vector<std::string> structured_mutations(const std::string& text) {
  const Lines lines{text};
  std::vector<std::string> out;
  for (std::size_t i = 0; i < lines.all.size(); ++i) {
    const auto& line = lines.all[i];
    out.push_back(lines.with(i, {}, true));
    out.push_back(lines.with(i, line + '\n' + line));
    out.push_back(lines.with(i, "# " + line));
    out.push_back(line + '\n' + lines.with(i, {}, true));
    const auto equals = line.find(" = ");
    if (line.starts_with('[') || equals == std::string::npos) {
      const auto end = line.find_last_not_of("[]");
      if (end == std::string::npos) continue;
      out.push_back(lines.with(i, line.substr(0, end) + line.substr(end + 1)));
      out.push_back(lines.with(i, '[' + line + ']'));
      continue;
    }
    const auto key = line.substr(0, equals);
    out.push_back(lines.with(i, key + "x" + line.substr(equals)));
    out.push_back(lines.with(i, key.substr(1) + line.substr(equals)));
    out.push_back(lines.with(i, key + ".deep" + line.substr(equals)));
    out.push_back(lines.with(i, key + " = [" + line.substr(equals + 3) + "]"));
    for (const auto& value : hostile_values()) out.push_back(lines.with(i, key + " = " + value));
  }
  return out;
}

std::string random_mutation(const std::string& text, Dice& dice) {
  auto out = text;
  for (auto edits = 1 + dice.below(8); edits > 0; --edits) {
    const auto at = dice.below(out.size() + 1);
    const auto length = 1 + dice.below(40);
    switch (dice.below(7)) {
      case 0:
        if (at < out.size()) out[at] = static_cast<char>(dice.below(256));
        break;
      case 1: out.insert(at, 1, static_cast<char>(dice.below(256))); break;
      case 2: out.erase(at, length); break;
      case 3: out.insert(at, out.substr(dice.below(out.size() + 1), length)); break;
      case 4: out.insert(at, pieces[dice.below(pieces.size())]); break;
      case 5: out.insert(at, std::string(1 + dice.below(4000), static_cast<char>(32 + dice.below(95)))); break;
      default: out.resize(at); break;
    }
  }
  if (out.size() > text_bytes_max) out.resize(text_bytes_max);
  return out;
}

}  // namespace spillway::config
