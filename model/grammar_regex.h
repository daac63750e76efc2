#pragma once

#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/grammar_ast.h"

namespace spillway::model {

/// What a JSON string holds between its quotes when its value is one of these characters: as itself, or by the escape that it must have.
GrammarExpr json_chars(const std::vector<CharRange>& ranges);

/// The content, between its quotes, of a JSON string whose value matches a regular expression anywhere (`pattern` of JSON Schema).
/// Understood: characters and classes, . \d \D \w \W \s \S, \n \r \t \f \v \0 \xHH \uHHHH and \ before a sign, groups ( ) (?: ), |,
/// * + ? {m} {m,} {m,n} (lazy ones too), ^ and $ at the ends of the pattern or of an alternate that is in no group. Where regular
/// expressions of ECMAScript and of Python differ, what both match.
/// Errors: bad_argument naming what is not understood, and where (from 1); more than 1,000 bytes, groups deeper than 50.
core::Result<GrammarExpr> json_string_pattern(std::string_view pattern);

}  // namespace spillway::model
