#include "sched/names.h"

#include <algorithm>

#include "core/step.h"

namespace spillway::sched {

using core::block_tokens;

StreamNames::StreamNames(const core::TenantSecret& secret, std::uint64_t salt, std::span<const core::TokenId> prompt, std::uint32_t choices,
                         std::string_view adapter)
    : secret_(secret), salt_(salt), root_(core::root_name(secret, adapter)) {
  core::BlockName parent = root_;
  std::size_t begin = 0;
  for (; begin + block_tokens <= prompt.size(); begin += block_tokens) {
    parent = core::block_name(secret_, salt_, parent, prompt.subspan(begin, block_tokens));
    prompt_.push_back(parent);
  }
  Choice fresh;
  fresh.tail.assign(prompt.begin() + static_cast<std::ptrdiff_t>(begin), prompt.end());
  choices_.assign(choices, fresh);
}

StreamNames StreamNames::stand_ins(std::span<const core::BlockName> names, std::size_t prompt_tokens, std::string_view adapter) {
  StreamNames made;
  made.known_ahead_ = true;
  const std::size_t in_prompt = std::min(names.size(), prompt_tokens / block_tokens);
  made.prompt_.assign(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(in_prompt));
  made.choices_.resize(1);
  made.choices_[0].names.assign(names.begin() + static_cast<std::ptrdiff_t>(in_prompt), names.end());
  if (adapter.empty()) return made;
  const std::uint64_t apart = core::name_id(adapter);
  for (auto* list : {&made.prompt_, &made.choices_[0].names}) {
    for (core::BlockName& name : *list) name = {{name.hi ^ apart, name.lo + apart}};
  }
  return made;
}

bool StreamNames::add_token(std::uint32_t choice, core::TokenId token) {
  Choice& c = choices_[choice];
  c.tail.push_back(token);
  if (c.tail.size() < block_tokens) return false;
  const core::BlockName& parent = !c.names.empty() ? c.names.back() : !prompt_.empty() ? prompt_.back() : root_;
  c.names.push_back(core::block_name(secret_, salt_, parent, c.tail));
  c.tail.clear();
  return true;
}

}  // namespace spillway::sched
