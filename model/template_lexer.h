#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::model::jinja {

enum class TokenKind : std::uint8_t { data, variable_begin, variable_end, block_begin, block_end, name, text, integer, real, symbol, end };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string value;  ///< data and text: as it is to be written; symbol: "==", "(", ...
  std::uint32_t line = 1;
  std::int64_t integer = 0;
  double real = 0;

  bool is(TokenKind k, std::string_view v) const { return kind == k && value == v; }
  bool is_name(std::string_view v) const { return is(TokenKind::name, v); }
  bool is_symbol(std::string_view v) const { return is(TokenKind::symbol, v); }
};

/// The tokens of a source, `end` last; white space between tags is as trim_blocks, lstrip_blocks and the signs behind the
/// braces want it. Throws Failure (syntax).
std::vector<Token> tokenize(std::string_view source);

}  // namespace spillway::model::jinja
