#include "cluster-config/reference.h"

#include <array>

#include "cluster-config/schema.h"

namespace spillway::config {
namespace {

std::string_view type_name(Type type) {
  constexpr std::array<std::string_view, 17> names{"boolean", "count",  "size",  "duration", "bandwidth", "choice",
                                                   "choices", "text",   "name",  "pattern",  "address",   "path",
                                                   "key",     "secret", "names", "keys",     "rungs"};
  return names[static_cast<std::size_t>(type)];
}

ReferenceRow row(const Section& section, const KeySpec& key) {
  ReferenceRow out;
  out.key = section.pattern.empty() ? std::string{key.name} : std::string{section.pattern} + '.' + std::string{key.name};
  out.type = type_name(key.type);
  out.want = wish(key);
  out.default_value = default_text(section, key);
  out.required = key.required;
  out.sentence = key.sentence;
  out.example = key.example;
  return out;
}

/// The line that opens the table in a file.
std::string header(const Section& section) {
  const std::string pattern{section.pattern};
  if (pattern.empty()) return "top of the file";
  if (pattern.ends_with("[]")) return "[[" + pattern.substr(0, pattern.size() - 2) + "]]";
  auto shown = pattern;
  if (const auto star = shown.find('*'); star != std::string::npos) shown.replace(star, 1, "NAME");
  return "[" + shown + "]";
}

}  // namespace

std::vector<ReferenceRow> reference_rows() {
  std::vector<ReferenceRow> rows;
  for (const auto& section : sections()) {
    for (const auto& key : section.keys) rows.push_back(row(section, key));
  }
  return rows;
}

std::string reference_markdown() {
  std::string out =
      "# Keys of the cluster file\n\n"
      "Sizes (\"512MiB\"), durations (\"250ms\") and bandwidths (\"100MB/s\") are texts with a unit. Unknown keys are errors.\n";
  for (const auto& section : sections()) {
    out += "\n## " + header(section) + "\n\n" + std::string{section.sentence} + "\n\n";
    for (const auto& key : section.keys) {
      const auto each = row(section, key);
      out += "- `" + std::string{key.name} + "`: " + each.sentence + "\n  " + each.want + "; " +
             (each.required ? "required" : "default " + each.default_value) + "; example `" + each.example + "`\n";
    }
  }
  return out;
}

}  // namespace spillway::config
