#include "cluster-config/report.h"

#include <algorithm>

#include "cluster-config/load.h"

namespace spillway::config {

void Report::place(const std::string& key, const Tree& tree) {
  const bool scalar = tree.kind != Tree::Kind::table;
  places_[key] = {tree.line, scalar ? show(tree) : std::string{}};
}

void Report::add(ErrorKind kind, const std::string& key, std::string want, std::string fix) {
  Place place{1, {}};  // what the file lacks as a whole is missing from its top
  if (const auto exact = places_.find(key); exact != places_.end()) {
    place = exact->second;
  } else {
    for (auto around = key; !around.empty();) {
      const auto dot = around.find_last_of('.');
      around.resize(dot == std::string::npos ? 0 : dot);
      if (const auto found = places_.find(around); found != places_.end()) {
        place.line = found->second.line;
        break;
      }
    }
  }
  push({kind, file_, place.line, key, std::move(place.value), std::move(want), std::move(fix)});
}

void Report::add_at(ErrorKind kind, const std::string& key, const Tree& element, std::string want, std::string fix) {
  push({kind, file_, element.line, key, show(element), std::move(want), std::move(fix)});
}

bool Report::failed_in(std::string_view table) const {
  return std::any_of(errors_.begin(), errors_.end(), [&](const ConfigError& error) { return error.key.starts_with(table); });
}

void Report::push(ConfigError error) {
  if (errors_.size() >= errors_max) {
    ++left_out_;
    return;
  }
  // Names from the file may be of any length.
  error.key = clean(error.key, 200);
  error.want = clean(error.want, 600);
  error.fix = clean(error.fix, 300);
  errors_.push_back(std::move(error));
}

ConfigErrors Report::take() {
  std::stable_sort(errors_.begin(), errors_.end(), [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  if (left_out_ > 0) {
    errors_.push_back({ErrorKind::too_many_errors,
                       file_,
                       errors_.back().line,
                       {},
                       {},
                       "and " + std::to_string(left_out_) + " more errors",
                       "correct those above first"});
  }
  return std::move(errors_);
}

}  // namespace spillway::config
