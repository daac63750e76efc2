#pragma once

#include <string_view>

#include "core/result.h"
#include "model/grammar_ast.h"

namespace spillway::model {

/// Reads GBNF, the notation of llama.cpp's grammars: rules `name ::= expression`, of which `root` is the whole text.
///   "text"        with \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH
///   [a-z] [^"\\]  one character of a class, or of none of it; . is any
///   ( )  |        groups, alternates
///   ? * + {m} {m,} {m,n}  of what stands before
///   name          of letters, digits, - and _
///   # comment     to the end of the line
/// Line ends are white space: a rule ends where the next begins. \x80 and above stand for code points, as \u does.
/// Errors: bad_argument naming line and column, what came and what was wanted; rules twice or not at all, by name; more than
/// 4,096 rules, groups deeper than 100, counts above 100,000.
core::Result<GrammarRules> parse_gbnf(std::string_view text);

}  // namespace spillway::model
