#include "model/perplexity.h"

#include <cmath>
#include <string>

namespace spillway::model {

using core::Errc;
using core::fail;

namespace {

/// The least that leaves a prompt of two tokens, one of them BOS, and something to score.
constexpr std::uint32_t window_min = 4;

}  // namespace

core::Result<std::vector<ScoreCase>> perplexity_windows(const Tokenizer& tokenizer, std::string_view text, std::uint32_t window) {
  if (window < window_min)
    return fail(Errc::bad_argument, "window = " + std::to_string(window) + " tokens: want at least " + std::to_string(window_min));
  const auto tokens = tokenizer.encode(text);
  if (tokens.size() < window)
    return fail(Errc::bad_argument, "the text has " + std::to_string(tokens.size()) + " tokens, fewer than one window of " +
                                        std::to_string(window) + ": give a longer text or a smaller window");
  const auto scored = static_cast<std::ptrdiff_t>((window - 1) / 2);
  std::vector<ScoreCase> windows(tokens.size() / window);
  auto first = tokens.begin();
  for (auto& made : windows) {
    const auto end = first + window;
    made.prompt.assign(first, end - scored);
    made.tokens.assign(end - scored, end);
    if (tokenizer.adds_bos() && tokenizer.bos()) made.prompt.front() = *tokenizer.bos();
    first = end;
  }
  return windows;
}

core::Result<Perplexity> perplexity(CpuDevice& device, std::string_view text, std::uint32_t window,
                                    const std::function<void(std::size_t done, std::size_t all)>& progress) {
  if (device.tokenizer() == nullptr)
    return fail(Errc::bad_argument, "the model's file has no vocabulary (tokenizer.ggml.model), so no text can be scored");
  if (window > device.info().context_max)
    return fail(Errc::bad_argument,
                "window = " + std::to_string(window) + " tokens; the context holds " + std::to_string(device.info().context_max));
  const auto windows = perplexity_windows(*device.tokenizer(), text, window);
  if (!windows) return tl::make_unexpected(windows.error());
  Perplexity found;
  double sum = 0.0;
  for (const auto& given : *windows) {
    const auto outs = score(device, given, 1);
    if (!outs) return tl::make_unexpected(outs.error());
    for (const auto& out : *outs) sum += static_cast<double>(out.logprob);
    found.tokens += outs->size();
    progress(++found.windows, windows->size());
  }
  found.value = std::exp(-sum / static_cast<double>(found.tokens));
  return found;
}

}  // namespace spillway::model
