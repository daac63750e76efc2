#include "sched/token_log.h"

namespace spillway::sched {

std::vector<core::TokenOut> TokenLog::from(std::size_t from) const {
  std::vector<core::TokenOut> tokens;
  for (std::size_t i = from; i < ids_.size(); ++i) tokens.emplace_back().token = ids_[i];
  for (const Whole& whole : wholes_) {
    if (whole.index >= from) tokens[whole.index - from] = whole.token;
  }
  return tokens;
}

}  // namespace spillway::sched
