#include "app/load_prompts.h"

#include <algorithm>
#include <memory>
#include <string>

#include "core/assert.h"
#include "model/gguf.h"
#include "model/paced_tokenizer.h"
#include "model/store.h"
#include "model/tokenizer.h"

namespace spillway::app {

namespace {

constexpr std::uint64_t own_tokens = std::uint64_t{1} << 40U;  // beyond all block numbers

/// The finaliser of SplitMix64: every bit of the input changes every bit of the result.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

core::Result<std::shared_ptr<const model::Tokenizer>> tokenizer_of(const config::Model& model) {
  if (model.kind == config::ModelKind::paced) return model::paced_tokenizer(model.paced.vocabulary);
  const auto path = model::resolve_model(model.path.empty() ? model.known : model.path.string());
  if (!path) {
    return core::fail(path.error().code, "model " + model.name + ": " + path.error().message +
                                             "; prompts are made of its vocabulary: have the file here, or give --vocabulary N");
  }
  auto file = model::GgufFile::open(*path);
  if (!file) return tl::make_unexpected(file.error());
  return model::Tokenizer::from_gguf(*file);
}

bool is_plain(const model::Tokenizer& tokenizer, core::TokenId id) {
  if (tokenizer.is_end(id)) return false;
  const auto type = tokenizer.vocabulary().type(id);
  return type == model::TokenType::normal || type == model::TokenType::byte;
}

}  // namespace

core::Result<std::vector<core::TokenId>> prompt_tokens_of(const config::Cluster& cluster, std::uint32_t vocabulary) {
  std::vector<core::TokenId> tokens;
  if (vocabulary > 0) {
    // The first ids are control tokens and bytes in most vocabularies.
    for (std::uint32_t id = std::min(model::paced_first_word, vocabulary / 2); id < vocabulary; ++id)
      tokens.push_back(static_cast<core::TokenId>(id));
    return tokens;
  }
  bool first = true;
  for (const auto& [name, model] : cluster.models) {
    const auto tokenizer = tokenizer_of(model);
    if (!tokenizer) return tl::make_unexpected(tokenizer.error());
    if (first) {
      for (std::uint32_t id = 0; id < (*tokenizer)->size(); ++id) tokens.push_back(static_cast<core::TokenId>(id));
    }
    first = false;
    std::erase_if(tokens,
                  [&](core::TokenId id) { return static_cast<std::uint32_t>(id) >= (*tokenizer)->size() || !is_plain(**tokenizer, id); });
  }
  if (tokens.empty()) {
    return core::fail(core::Errc::bad_config,
                      "the models of the cluster have no plain token in common to make prompts of: give --vocabulary N");
  }
  return tokens;
}

std::vector<std::int32_t> LoadPrompts::make(std::uint32_t request) const {
  const auto& r = workload_.requests.at(request);
  std::vector<std::int32_t> prompt;
  prompt.reserve(r.input_tokens);
  const auto put = [&](std::uint64_t stream, std::uint64_t place) {
    prompt.push_back(static_cast<std::int32_t>(tokens_[mixed(mixed(mixed(seed_) ^ stream) ^ place) % tokens_.size()]));
  };
  for (const auto block : workload_.blocks_of(r)) {
    for (std::uint32_t i = 0; i < r.block_tokens && prompt.size() < r.input_tokens; ++i) put(block, i);
  }
  for (std::uint64_t i = prompt.size(); i < r.input_tokens; ++i) put(own_tokens + request, i);
  SPILLWAY_ASSERT(prompt.size() == r.input_tokens);
  return prompt;
}

}  // namespace spillway::app
