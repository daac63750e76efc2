#pragma once

#include <string>
#include <string_view>

/// Numbers and words in the files of a report: the same bytes whatever the locale and the C library.
namespace spillway::sim {

/// Six significant digits at most, without an exponent below a million million; "" for what is no number.
std::string number_text(double value);
/// The same for JSON: null for what is no number.
std::string number_json(double value);
/// `digits` after the point; "-" for what is no number.
std::string fixed_text(double value, int digits);
/// As people read it: three significant digits, thousands apart; "-" for what is no number.
std::string short_text(double value);

/// A field of CSV: in quotes where it has to be.
std::string csv_text(std::string_view text);
/// Text of HTML, and of its attributes in double quotes.
std::string html_text(std::string_view text);

}  // namespace spillway::sim
