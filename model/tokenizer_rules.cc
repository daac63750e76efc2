#include "model/tokenizer_rules.h"

#include <algorithm>
#include <array>

namespace spillway::model {

namespace {

// --- classes of characters ---------------------------------------------------------------------------------------------

using Test = bool (*)(const Character& c);

bool is_letter(const Character& c) {
  return c.kind == CharClass::letter;
}
bool is_number(const Character& c) {
  return c.kind == CharClass::number;
}
bool is_space(const Character& c) {
  return c.kind == CharClass::space;
}
bool is_newline(const Character& c) {
  return c.value == '\r' || c.value == '\n';
}
bool is_punctuation(const Character& c) {
  return c.kind == CharClass::punctuation;
}
bool is_letter_or_mark(const Character& c) {
  return c.kind == CharClass::letter || c.kind == CharClass::mark;
}
bool is_digit(const Character& c) {
  return c.value >= '0' && c.value <= '9';
}
bool is_upper_ascii(const Character& c) {
  return c.value >= 'A' && c.value <= 'Z';
}
bool is_lower_ascii(const Character& c) {
  return c.value >= 'a' && c.value <= 'z';
}
bool is_ascii_letter(const Character& c) {
  return is_upper_ascii(c) || is_lower_ascii(c);
}
bool is_punctuation_or_symbol(const Character& c) {
  return c.kind == CharClass::punctuation || c.kind == CharClass::symbol;
}
/// [^\s\p{L}\p{N}]
bool is_neither(const Character& c) {
  return !is_letter(c) && !is_number(c) && !is_space(c);
}
/// [^\s\p{L}\p{M}\p{N}]
bool is_neither_nor_mark(const Character& c) {
  return is_neither(c) && c.kind != CharClass::mark;
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

template <std::size_t size>
bool within(const std::array<Range, size>& ranges, const Character& c) {
  // The expressions see White_Space as \s, even where a range would take it in.
  if (is_space(c) || c.value == not_a_character) return false;
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c.value, [](std::uint32_t value, Range r) { return value < r.first; });
  return after != ranges.begin() && c.value <= std::prev(after)->last;
}

/// Cased letters as the DeepSeek LLM vocabulary lists them: those of an older Unicode, without Armenian and Georgian small ones.
bool is_listed_letter(const Character& c) {
  static constexpr std::array<Range, 84> ranges = {
      {{'A', 'Z'},         {'a', 'z'},         {0xb5, 0xb5},       {0xc0, 0xd6},       {0xd8, 0xf6},       {0xf8, 0x1ba},
       {0x1bc, 0x1bf},     {0x1c4, 0x293},     {0x295, 0x2af},     {0x370, 0x373},     {0x376, 0x377},     {0x37b, 0x37d},
       {0x37f, 0x37f},     {0x386, 0x386},     {0x388, 0x38a},     {0x38c, 0x38c},     {0x38e, 0x3a1},     {0x3a3, 0x3f5},
       {0x3f7, 0x481},     {0x48a, 0x52f},     {0x531, 0x556},     {0x10a0, 0x10c5},   {0x13a0, 0x13f5},   {0x13f8, 0x13fd},
       {0x1c90, 0x1cba},   {0x1cbd, 0x1cbf},   {0x1d00, 0x1d2b},   {0x1d6b, 0x1d77},   {0x1d79, 0x1d9a},   {0x1e00, 0x1f15},
       {0x1f18, 0x1f1d},   {0x1f20, 0x1f45},   {0x1f48, 0x1f4d},   {0x1f50, 0x1f57},   {0x1f59, 0x1f59},   {0x1f5b, 0x1f5b},
       {0x1f5d, 0x1f5d},   {0x1f5f, 0x1f7d},   {0x1f80, 0x1fb4},   {0x1fb6, 0x1fbc},   {0x1fbe, 0x1fbe},   {0x1fc2, 0x1fc4},
       {0x1fc6, 0x1fcc},   {0x1fd0, 0x1fd3},   {0x1fd6, 0x1fdb},   {0x1fe0, 0x1fec},   {0x1ff2, 0x1ff4},   {0x1ff6, 0x1ffc},
       {0x2102, 0x2102},   {0x2107, 0x2107},   {0x210a, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211d},   {0x2124, 0x2124},
       {0x2126, 0x2126},   {0x2128, 0x2128},   {0x212a, 0x212d},   {0x212f, 0x2134},   {0x2139, 0x2139},   {0x213c, 0x213f},
       {0x2145, 0x2149},   {0x214e, 0x214e},   {0x2183, 0x2184},   {0x2c00, 0x2c7b},   {0x2c7e, 0x2ce4},   {0x2ceb, 0x2cee},
       {0x2cf2, 0x2cf3},   {0xa640, 0xa66d},   {0xa680, 0xa69b},   {0xa722, 0xa76f},   {0xa771, 0xa787},   {0xa78b, 0xa78e},
       {0xab70, 0xabbf},   {0xfb00, 0xfb06},   {0xfb13, 0xfb17},   {0xff21, 0xff3a},   {0xff41, 0xff5a},   {0x10400, 0x1044f},
       {0x104b0, 0x104d3}, {0x104d8, 0x104fb}, {0x10c80, 0x10cb2}, {0x10cc0, 0x10cf2}, {0x118a0, 0x118df}, {0x1e900, 0x1e943}}};
  return within(ranges, c);
}

/// What the same vocabulary lists as punctuation; its range from ':' to '~' holds the ASCII letters.
bool is_listed_punctuation(const Character& c) {
  static constexpr std::array<Range, 6> ranges = {
      {{'!', '/'}, {':', '~'}, {0x2018, 0x201f}, {0x3001, 0x3002}, {0xff01, 0xff0f}, {0xff1a, 0xff5e}}};
  return within(ranges, c);
}

/// [\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]
bool is_listed_asian(const Character& c) {
  static constexpr std::array<Range, 2> ranges = {{{0x800, 0x9fa5}, {0xac00, 0xd7ff}}};
  return within(ranges, c);
}

/// Han, Hiragana, Katakana as DeepSeek V3 lists them.
bool is_han_or_kana(const Character& c) {
  static constexpr std::array<Range, 2> ranges = {{{0x3040, 0x30ff}, {0x4e00, 0x9fa5}}};
  return within(ranges, c);
}

/// [\p{P}$+<=>^~|`]
bool is_falcon_punctuation(const Character& c) {
  return is_punctuation(c) || (c.value < 0x80 && c.kind == CharClass::symbol);
}
/// [\p{P}$+<=>^~|]
bool is_default_punctuation(const Character& c) {
  return is_falcon_punctuation(c) && c.value != '`';
}

/// [^(\s|.,!?...] with the full stops and commas of CJK, Devanagari and Arabic.
bool is_bloom_word(const Character& c) {
  constexpr std::u32string_view parts = U"(|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)";
  return !is_space(c) && parts.find(static_cast<char32_t>(c.value)) == parts.npos;
}

// --- matchers: length of the match at the beginning of what is left of a piece, 0 = none -----------------------------------

using Match = std::size_t (*)(Characters left);

/// Index behind the run of `test` that begins at `from`.
template <class Condition>
std::size_t run_end(Characters left, std::size_t from, Condition&& test) {
  while (from < left.size() && test(left[from])) ++from;
  return from;
}

/// 's 't 're 've 'm 'll 'd, lower case or, with `any_case`, either.
std::size_t contraction(Characters left, bool any_case) {
  const auto at = [&](std::size_t i) -> std::uint32_t {
    if (i >= left.size()) return 0;
    return any_case && is_upper_ascii(left[i]) ? left[i].value | 0x20 : left[i].value;
  };
  if (at(0) != '\'') return 0;
  const std::uint32_t a = at(1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  const std::uint32_t b = at(2);
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/// \s+(?!\S)|\s+: the last of several spaces is left to the word behind it.
std::size_t spaces(Characters left) {
  const std::size_t stop = run_end(left, 0, is_space);
  return stop > 1 && stop < left.size() ? stop - 1 : stop;
}

/// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t spaces_or_lines(Characters left) {
  for (std::size_t stop = run_end(left, 0, is_space); stop > 0; --stop) {
    if (is_newline(left[stop - 1])) return stop;
  }
  return spaces(left);
}

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::size_t gpt2_word(Characters left) {
  if (const std::size_t length = contraction(left, false); length != 0) return length;
  const std::size_t first = left[0].value == ' ' && left.size() > 1 ? 1 : 0;
  for (const Test test : {is_letter, is_number, is_neither}) {
    if (test(left[first])) return run_end(left, first + 1, test);
  }
  return spaces(left);
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
/// with `in_word` for \p{L} in words, and `neither` for what is no word, number or space.
template <std::size_t digits, Test in_word, Test neither>
std::size_t llama3_word(Characters left) {
  if (const std::size_t length = contraction(left, true); length != 0) return length;
  if (in_word(left[0])) return run_end(left, 1, in_word);
  if (is_number(left[0])) return std::min(digits, run_end(left, 1, is_number));
  if (!is_newline(left[0]) && left.size() > 1 && in_word(left[1])) return run_end(left, 2, in_word);
  const std::size_t first = left[0].value == ' ' && left.size() > 1 ? 1 : 0;
  if (neither(left[first])) return run_end(left, run_end(left, first + 1, neither), is_newline);
  return spaces_or_lines(left);
}

/// Small and capital ASCII letters part words as in "camelCase"; all other letters count as both:
/// [^\r\n\p{L}\p{N}]? then capitals* smalls+, else capitals+ smalls*.
std::size_t cased_word(Characters left) {
  std::size_t begin = 0;
  if (!is_letter(left[0])) {
    if (is_newline(left[0]) || is_number(left[0])) return 0;
    begin = 1;
  }
  const std::size_t capitals = run_end(left, begin, [](const Character& c) { return is_letter(c) && !is_lower_ascii(c); });
  const std::size_t smalls = run_end(left, capitals, [](const Character& c) { return is_letter(c) && !is_upper_ascii(c); });
  if (smalls > capitals) return smalls;
  // No small letter follows: the capitals give back until their last is one that counts as small too, or keep all.
  std::size_t stop = capitals;
  while (stop > begin && is_upper_ascii(left[stop - 1])) --stop;
  if (stop > begin) return stop;
  return capitals > begin ? capitals : 0;
}

/// A cased word, with its contraction if `contractions`, |\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
template <std::size_t digits, bool contractions>
std::size_t gpt4o_word(Characters left) {
  if (const std::size_t length = cased_word(left); length != 0)
    return contractions && length < left.size() ? length + contraction(left.subspan(length), true) : length;
  if (is_number(left[0])) return std::min(digits, run_end(left, 1, is_number));
  const std::size_t first = left[0].value == ' ' && left.size() > 1 ? 1 : 0;
  if (is_neither(left[first]))
    return run_end(left, run_end(left, first + 1, is_neither), [](const Character& c) { return is_newline(c) || c.value == '/'; });
  return spaces_or_lines(left);
}

/// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
std::size_t deepseek_v3_word(Characters left) {
  const bool mark = is_punctuation_or_symbol(left[0]);
  if (left[0].value < 0x80 && mark && left.size() > 1 && is_ascii_letter(left[1])) return run_end(left, 2, is_ascii_letter);
  if (is_letter_or_mark(left[0])) return run_end(left, 1, is_letter_or_mark);
  if (!mark && !is_newline(left[0]) && left.size() > 1 && is_letter_or_mark(left[1])) return run_end(left, 2, is_letter_or_mark);
  const std::size_t first = left[0].value == ' ' && left.size() > 1 ? 1 : 0;
  if (is_punctuation_or_symbol(left[first])) return run_end(left, run_end(left, first + 1, is_punctuation_or_symbol), is_newline);
  return spaces_or_lines(left);
}

template <Test test>
std::size_t one(Characters left) {
  return test(left[0]) ? 1 : 0;
}

/// test{1,most}
template <Test test, std::size_t most = SIZE_MAX>
std::size_t some(Characters left) {
  return std::min(most, run_end(left, 0, test));
}

/// \s?test+ for a test that no space passes
template <Test test>
std::size_t some_behind_space(Characters left) {
  const std::size_t first = is_space(left[0]) ? 1 : 0;
  const std::size_t stop = run_end(left, first, test);
  return stop > first ? stop : 0;
}

/// " ?" and test+
template <Test test>
std::size_t some_behind_blank(Characters left) {
  const std::size_t first = left[0].value == ' ' ? 1 : 0;
  const std::size_t stop = run_end(left, first, test);
  return stop > first ? stop : 0;
}

/// [0-9][0-9][0-9]
std::size_t three_digits(Characters left) {
  return left.size() >= 3 && is_digit(left[0]) && is_digit(left[1]) && is_digit(left[2]) ? 3 : 0;
}

// --- cuts ----------------------------------------------------------------------------------------------------------------

/// Each match is a piece, and so is each run between matches.
template <Match match>
void cut(Characters piece, std::vector<std::size_t>& lengths) {
  std::size_t from = 0;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t length = match(piece.subspan(at));
    if (length == 0) {
      ++at;
      continue;
    }
    if (at > from) lengths.push_back(at - from);
    lengths.push_back(length);
    at += length;
    from = at;
  }
  if (from < piece.size()) lengths.push_back(piece.size() - from);
}

/// \s+$: from behind, as a search from the front would look at a run of spaces once for each of them.
void cut_last_spaces(Characters piece, std::vector<std::size_t>& lengths) {
  std::size_t stop = piece.size();
  while (stop > 0 && is_space(piece[stop - 1])) --stop;
  if (stop > 0) lengths.push_back(stop);
  if (stop < piece.size()) lengths.push_back(piece.size() - stop);
}

constexpr Cut gpt2[] = {cut<gpt2_word>};
constexpr Cut smollm[] = {cut<one<is_number>>, cut<gpt2_word>};
constexpr Cut falcon[] = {cut<some<is_falcon_punctuation>>, cut<gpt2_word>, cut<three_digits>};
constexpr Cut neox[] = {cut<some<is_default_punctuation>>, cut<gpt2_word>, cut<some<is_number>>, cut<three_digits>};
constexpr Cut llama3[] = {cut<llama3_word<3, is_letter, is_neither>>};
constexpr Cut qwen2[] = {cut<llama3_word<1, is_letter, is_neither>>};
constexpr Cut qwen35[] = {cut<llama3_word<1, is_letter_or_mark, is_neither_nor_mark>>};
constexpr Cut gpt4o[] = {cut<gpt4o_word<3, true>>};
constexpr Cut tekken[] = {cut<gpt4o_word<1, false>>};
constexpr Cut deepseek_llm[] = {cut<one<is_newline>>,
                                cut<some_behind_space<is_listed_letter>>,
                                cut<some_behind_space<is_listed_punctuation>>,
                                cut_last_spaces,
                                cut<some<is_listed_asian>>,
                                cut<some<is_number>>};
constexpr Cut deepseek_coder[] = {cut<one<is_newline>>, cut<some_behind_space<is_letter>>, cut<some_behind_space<is_punctuation>>,
                                  cut<some<is_listed_asian>>, cut<one<is_number>>};
constexpr Cut deepseek_v3[] = {cut<some<is_number, 3>>, cut<some<is_han_or_kana>>, cut<deepseek_v3_word>};
constexpr Cut bloom[] = {cut<some_behind_blank<is_bloom_word>>};
constexpr Cut viking[] = {cut<some_behind_blank<is_bloom_word>>, cut<one<is_number>>};

constexpr SplitRule rules[] = {
    {"default", neox},
    {"gpt-2", gpt2},
    {"gpt2", gpt2},
    {"a.x-4.0", gpt2},
    {"exaone4", gpt2},
    {"gigachat", gpt2},
    {"granite-docling", gpt2},
    {"jais", gpt2},
    {"jina-de", gpt2},
    {"jina-es", gpt2},
    {"jina-v1-en", gpt2},
    {"jina-v2-code", gpt2},
    {"jina-v2-de", gpt2},
    {"jina-v2-es", gpt2},
    {"mellum", gpt2},
    {"modern-bert", gpt2},
    {"mpt", gpt2},
    {"olmo", gpt2},
    {"phi-2", gpt2},
    {"roberta-bpe", gpt2},
    {"trillion", gpt2},
    {"smollm", smollm},
    {"codeshell", smollm},
    {"command-r", smollm},
    {"exaone", smollm},
    {"mellum2", smollm},
    {"minerva-7b", smollm},
    {"refact", smollm},
    {"starcoder", smollm},
    {"falcon", falcon},
    {"llama-bpe", llama3, true, true},
    {"llama3", llama3, true, true},
    {"llama-v3", llama3, true, true},
    {"falcon3", llama3, true, true},
    {"falcon-h1", llama3, true, true},
    {"jina-v5-nano", llama3, true, true},
    {"lfm2", llama3, true, true},
    {"midm-2.0", llama3, true, true},
    {"pixtral", llama3, true, true},
    {"chatglm-bpe", llama3},
    {"dbrx", llama3},
    {"glm4", llama3},
    {"smaug-bpe", llama3},
    {"qwen2", qwen2},
    {"deepseek-r1-qwen", qwen2},
    {"f2llmv2", qwen2},
    {"grok-2", qwen2},
    {"hunyuan", qwen2},
    {"kormo", qwen2},
    {"megrez", qwen2},
    {"solar-open", qwen2},
    {"stablelm2", qwen2},
    {"qwen35", qwen35},
    {"gpt-4o", gpt4o},
    {"kanana2", gpt4o},
    {"llama4", gpt4o},
    {"minimax-m2", gpt4o},
    {"talkie", gpt4o},
    {"tekken", tekken, true, true},
    {"deepseek-llm", deepseek_llm},
    {"deepseek-coder", deepseek_coder},
    {"deepseek-v3", deepseek_v3},
    {"hunyuan-dense", deepseek_v3},
    {"joyai-llm", deepseek_v3},
    {"bloom", bloom},
    {"gpt3-finnish", bloom},
    {"poro-chat", bloom},
    {"viking", viking},
};

}  // namespace

const SplitRule* find_split_rule(std::string_view name) {
  for (const SplitRule& rule : rules) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

std::string split_rule_names() {
  std::string names;
  for (const SplitRule& rule : rules) names.append(names.empty() ? "" : ", ").append(rule.name);
  return names;
}

}  // namespace spillway::model
