#include "sim/report_page.h"

#include <boost/json.hpp>

#include "core/assert.h"
#include "sim/report_script.h"
#include "sim/report_text.h"

namespace spillway::sim {

namespace {

/// As JSON that may stand in a script element: nothing in it looks like markup.
std::string text_json(std::string_view text) {
  std::string out;
  for (const char c : boost::json::serialize(boost::json::string(text))) out += c == '<' ? "\\u003c" : std::string(1, c);
  return out;
}

std::string list_json(const std::vector<double>& values) {
  std::string out = "[";
  for (std::size_t i = 0; i < values.size(); ++i) out += (i == 0 ? "" : ",") + number_json(values[i]);
  return out + "]";
}

std::string axis_json(const ChartAxis& axis) {
  return "{\"name\":" + text_json(axis.name) + ",\"log\":" + (axis.logarithmic ? "true" : "false") + ",\"max\":" + number_json(axis.max) +
         "}";
}

std::string chart_json(const Chart& chart) {
  static constexpr const char* kinds[] = {"lines", "steps", "bars"};
  std::string out = "{\"kind\":\"" + std::string(kinds[static_cast<std::size_t>(chart.kind)]) + "\",\"title\":" + text_json(chart.title) +
                    ",\"x\":" + axis_json(chart.x) + ",\"y\":" + axis_json(chart.y) + ",\"series\":[";
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const auto& s = chart.series[i];
    SPILLWAY_ASSERT(s.low.size() == s.high.size() && (chart.kind == Chart::Kind::bars ? s.y.size() == 1 : s.x.size() == s.y.size()));
    out += (i == 0 ? "" : ",") + std::string("{\"name\":") + text_json(s.name) + ",\"colour\":" + std::to_string(s.colour % chart_colours) +
           ",\"x\":" + list_json(s.x) + ",\"y\":" + list_json(s.y) + ",\"low\":" + list_json(s.low) + ",\"high\":" + list_json(s.high) +
           "}";
  }
  out += "],\"marks\":[";
  for (std::size_t i = 0; i < chart.marks.size(); ++i) {
    out +=
        (i == 0 ? "" : ",") + std::string("{\"x\":") + number_json(chart.marks[i].x) + ",\"text\":" + text_json(chart.marks[i].text) + "}";
  }
  return out + "]}";
}

std::string figure_html(const Chart& chart, std::size_t number) {
  std::string out = "<figure><figcaption><h3>" + html_text(chart.title) + "</h3><p>" + html_text(chart.text) + "</p>";
  if (chart.series.size() > 1 && chart.kind != Chart::Kind::bars) {
    out += "<div class=\"legend\">";
    for (const auto& s : chart.series) {
      out += "<span><i style=\"background:var(--c" + std::to_string(s.colour % chart_colours) + ")\"></i>" + html_text(s.name) + "</span>";
    }
    out += "</div>";
  }
  return out + "</figcaption><div class=\"plot\" data-chart=\"" + std::to_string(number) + "\"></div></figure>\n";
}

std::string table_html(const PageTable& table) {
  std::string out = "<h2>" + html_text(table.title) + "</h2>\n<div class=\"table\"><table><thead><tr>";
  const auto cell = [&table](const char* tag, std::size_t column, const std::string& text) {
    return "<" + std::string(tag) +
           (column < table.words || (table.words_last && column + 1 == table.heads.size()) ? " class=\"word\">" : ">") + html_text(text) +
           "</" + tag + ">";
  };
  for (std::size_t i = 0; i < table.heads.size(); ++i) out += cell("th", i, table.heads[i]);
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cell("td", i, row[i]);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string to_html(const Page& page) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      html_text(page.title) + "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>" + std::string(report_style()) +
      "</style>\n</head>\n<body>\n<main>\n<h1>" + html_text(page.title) + "</h1>\n<p class=\"sub\">" + html_text(page.subtitle) + "</p>\n";
  for (const auto& warning : page.warnings) out += "<p class=\"warning\">" + html_text(warning) + "</p>\n";
  if (!page.tiles.empty()) {
    out += "<div class=\"tiles\">";
    for (const auto& tile : page.tiles) {
      out += "<div class=\"tile\"><b>" + html_text(tile.value) + "</b><span>" +
             html_text(tile.name + (tile.unit.empty() ? "" : ", " + tile.unit)) + "</span></div>\n";
    }
    out += "</div>\n";
  }
  std::string data;
  std::size_t number = 0;
  for (const auto& section : page.sections) {
    if (section.charts.empty()) continue;
    out += "<h2>" + html_text(section.title) + "</h2>\n<div class=\"charts\">\n";
    for (const auto& chart : section.charts) {
      out += figure_html(chart, number);
      data += (number == 0 ? "" : ",\n") + chart_json(chart);
      ++number;
    }
    out += "</div>\n";
  }
  for (const auto& table : page.tables) out += table_html(table);
  if (!page.notes.empty()) {
    out += "<h2>Notes</h2>\n<ul>\n";
    for (const auto& note : page.notes) out += "<li>" + html_text(note) + "</li>\n";
    out += "</ul>\n";
  }
  out += "</main>\n<script type=\"application/json\" id=\"charts\">[" + data + "]</script>\n<script>" + std::string(report_script()) +
         "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace spillway::sim
