#pragma once

#include <string_view>

#include "core/result.h"
#include "model/grammar_ast.h"

namespace spillway::model {

/// The JSON texts that a JSON Schema (draft 2020-12, the keywords below) accepts, as rules. Not all of them: members stand in the
/// order of `properties`, white space is a blank or a line end with up to 20 blanks where it is allowed, and numbers have at most 18
/// digits before the point. Every text of the rules is accepted by the schema, with two exceptions that lie in JSON itself: of
/// `oneOf` more than one branch may accept it, and nothing is said of objects whose keys are written with escapes.
///
///   any type    type (a name or a list), enum, const, anyOf, oneOf (as anyOf), $ref to a place in the same schema, recursion too;
///               true; title, description, default, examples, $schema, $id, $comment, $defs, definitions, deprecated, readOnly and
///               writeOnly say nothing
///   object      properties, required, additionalProperties. Without the last, other members are not written where there are
///               properties, and any where there are none
///   array       items, prefixItems, minItems, maxItems
///   string      minLength, maxLength; or pattern (model/grammar_regex.h); or format: date (days up to 28), time, date-time, uuid
///   integer     minimum, maximum, exclusiveMinimum, exclusiveMaximum
/// A schema without a type has the type that its keywords speak of; one without such keywords is any JSON value.
///
/// Errors, bad_argument: text that is no JSON, any other keyword, a wrong value of one, keywords that cannot stand together; each with
/// its place, "#/properties/name/pattern".
core::Result<GrammarRules> json_schema_rules(std::string_view schema);

/// Any JSON object, with the white space above.
GrammarRules json_object_rules();

}  // namespace spillway::model
