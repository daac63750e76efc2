// libFuzzer target: any bytes as a chat template. What is refused or fails says why.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/template.h"

using namespace spillway::model;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto context = jinja::parse_json(
      R"({"messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": [1, 2.5, null]}], "tools": [], "x": "a", "n": 3})");
  const auto made = jinja::Template::compile({reinterpret_cast<const char*>(data), size});
  if (!made) return made.error().message.empty() ? __builtin_trap(), 0 : 0;
  const jinja::RenderOptions options{.now = {}, .limits = {.steps_max = 100'000, .bytes_max = std::size_t{8} << 20, .depth_max = 500}};
  const auto text = made->render(*context, options);
  if (text && !text->own.empty() && text->own.back().end > text->text.size()) __builtin_trap();
  return 0;
}
