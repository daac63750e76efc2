// libFuzzer target: any bytes as a model file, through the decoder, the tokenizer and the chat format.
#include <cstddef>
#include <cstdint>

#include "model/chat_template.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

using namespace spillway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = model::GgufFile::parse({reinterpret_cast<const std::byte*>(data), size});
  if (!file) return file.error().field.empty() ? __builtin_trap(), 0 : 0;
  for (const model::GgufTensor& tensor : file->tensors()) {
    const auto bytes = file->tensor_bytes(tensor);
    if (bytes && (bytes->front() == bytes->back()) && bytes->size() > size) __builtin_trap();
  }
  const auto tokenizer = model::Tokenizer::from_gguf(*file);
  if (!tokenizer) return 0;
  const auto ids = (*tokenizer)->encode("the world 12\xff<|im_end|>", {.special = true, .bos = true});
  if (!(*tokenizer)->decode(ids)) __builtin_trap();
  const auto chat = model::ChatTemplate::from_gguf(*file);
  const auto pieces = chat ? chat->render({{"user", "hi"}}) : tl::make_unexpected(chat.error());
  if (pieces) (void)(*tokenizer)->encode_pieces(*pieces);
  return 0;
}
