#include "core/request.h"

#include "core/page.h"

namespace spillway::core {

std::string_view to_string(ServiceClass value) {
  switch (value) {
    case ServiceClass::live: return "live";
    case ServiceClass::interactive: return "interactive";
    case ServiceClass::batch: return "batch";
  }
  return "unknown";
}

std::string_view to_string(FinishReason value) {
  switch (value) {
    case FinishReason::none: return "none";
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: return "cancelled";
    case FinishReason::deadline: return "deadline";
    case FinishReason::error: return "error";
  }
  return "unknown";
}

std::string_view to_string(Feature bit) {
  switch (bit) {
    case Feature::none: break;
    case Feature::seeded_sampling: return "seeded_sampling";
    case Feature::forks: return "forks";
    case Feature::stop_strings: return "stop_strings";
    case Feature::logit_rules: return "logit_rules";
    case Feature::typical_p: return "typical_p";
    case Feature::grammar: return "grammar";
  }
  return {};
}

bool parse_service_class(std::string_view text, ServiceClass& value) {
  for (const auto candidate : {ServiceClass::live, ServiceClass::interactive, ServiceClass::batch}) {
    if (text != to_string(candidate)) continue;
    value = candidate;
    return true;
  }
  return false;
}

std::string_view to_string(PageFormat format) {
  switch (format) {
    case PageFormat::raw32: return "raw32";
    case PageFormat::raw16: return "raw16";
  }
  return "unknown";
}

bool parse_page_format(std::string_view text, PageFormat& format) {
  for (const auto candidate : {PageFormat::raw32, PageFormat::raw16}) {
    if (text != to_string(candidate)) continue;
    format = candidate;
    return true;
  }
  return false;
}

}  // namespace spillway::core
