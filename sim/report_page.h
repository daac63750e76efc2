#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A page of plots as one file: HTML that names no other file and needs no network, drawn by a script of its own, light or dark
/// as the reader's system is, wide or narrow. What goes onto it is plain data, so that every kind of report shares the page.
namespace spillway::sim {

inline constexpr std::uint32_t chart_colours = 8;  ///< more series than that share colours, told apart by their labels

struct ChartSeries {
  std::string name;          ///< "" where the chart has but one series
  std::uint32_t colour = 0;  ///< 0 to chart_colours - 1, the same for the same thing in all charts
  std::vector<double> x;     ///< ascending; of bars: empty
  std::vector<double> y;     ///< as many; what is no number leaves a gap
  std::vector<double> low;   ///< confidence band round y, or empty
  std::vector<double> high;
};

struct ChartAxis {
  std::string name;  ///< with its unit: "time to first token (ms)"
  bool logarithmic = false;
  double max = 0;  ///< 0 = as the values want
};

/// A line to hold the values against: an objective.
struct ChartMark {
  double x = 0;
  std::string text;
};

struct Chart {
  enum class Kind : std::uint8_t {
    lines,
    steps,  ///< y holds until the next x
    bars,   ///< one bar a series, named by it, y[0] long
  };
  Kind kind = Kind::lines;
  std::string title;
  std::string text;  ///< what is seen, a sentence
  ChartAxis x;
  ChartAxis y;
  std::vector<ChartSeries> series;
  std::vector<ChartMark> marks;
};

struct ChartSection {
  std::string title;
  std::vector<Chart> charts;
};

struct PageTable {
  std::string title;
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> rows;  ///< [rows][heads]
  std::size_t words = 1;                       ///< leading columns that are words; the others are numbers, on the right
  bool words_last = false;                     ///< the last column is words too
};

/// The few figures that are read first.
struct PageTile {
  std::string name;
  std::string value;
  std::string unit;
};

struct Page {
  std::string title;
  std::string subtitle;
  std::vector<std::string> warnings;
  std::vector<PageTile> tiles;
  std::vector<ChartSection> sections;
  std::vector<PageTable> tables;
  std::vector<std::string> notes;
};

/// The whole file. The same page gives the same bytes.
std::string to_html(const Page& page);

}  // namespace spillway::sim
