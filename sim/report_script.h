#pragma once

#include <string_view>

/// What a report page is drawn with; no part of it names anything outside the page.
namespace spillway::sim {

std::string_view report_style();
/// Draws every element with the attribute data-chart from the JSON in the element "charts", again when its width changes.
std::string_view report_script();

}  // namespace spillway::sim
