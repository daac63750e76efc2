#include "model/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>

#include "core/philox.h"
#include "kernels/float16.h"
#include "model/gguf_output.h"
#include "model/tokenizer_bpe.h"

namespace spillway::model {

namespace {

using kernels::BlockType;

constexpr ModelShape shapes[] = {
    {"tiny", "llama", 2, 256, 4, 2, 64, 512, 384, 2048, 0, 10000.0F, 1e-5F, true},
    {"smollm2-135m", "llama", 30, 576, 9, 3, 64, 1536, 49152, 8192, 0, 100000.0F, 1e-5F, true},
    {"llama-1b", "llama", 16, 2048, 32, 8, 64, 8192, 128256, 131072, 0, 500000.0F, 1e-5F, true},
    {"llama-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072, 0, 500000.0F, 1e-5F, false},
    {"qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 0, 1e6F, 1e-6F, true},
    {"qwen3-8b", "qwen3", 36, 4096, 32, 8, 128, 12288, 151936, 40960, 0, 1e6F, 1e-6F, false},
    {"gemma3-270m", "gemma3", 18, 640, 4, 1, 256, 2048, 262144, 32768, 512, 1e6F, 1e-6F, true},
};

/// Where a type keeps its scales. `minimum` is set to the scale times `ratio`, which centres the values.
struct ScalePlace {
  std::string_view type;
  std::size_t scale;
  std::optional<std::size_t> minimum = {};
  float ratio = 0.0F;
};
constexpr ScalePlace scale_places[] = {
    {"Q4_0", 0},   {"Q4_1", 0, 2, -7.5F}, {"Q5_0", 0},           {"Q5_1", 0, 2, -15.5F}, {"Q8_0", 0},   {"Q2_K", 80, 82, 1.5F},
    {"Q3_K", 108}, {"Q4_K", 0, 2, 7.5F},  {"Q5_K", 0, 2, 15.5F}, {"Q6_K", 208},          {"IQ4_NL", 0}, {"TQ1_0", 52},
    {"TQ2_0", 64}, {"Q1_0", 0},           {"Q2_0", 0},           {"Q2_0_G128", 0},
};

/// Random words of one tensor: a counter under (seed, tensor).
class Words {
 public:
  Words(std::uint64_t seed, std::uint32_t tensor) : seed_{seed}, tensor_{tensor} {}
  std::uint32_t next() {
    if (at_ == 4) {
      words_ = core::philox4x32({static_cast<std::uint32_t>(count_), static_cast<std::uint32_t>(count_ >> 32), tensor_, 1},
                                {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
      ++count_;
      at_ = 0;
    }
    return words_[at_++];
  }
  void fill(std::byte* to, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes; at += 4) {
      const std::uint32_t word = next();
      std::memcpy(to + at, &word, std::min<std::size_t>(4, bytes - at));
    }
  }

 private:
  std::uint64_t seed_;
  std::uint32_t tensor_;
  std::uint64_t count_ = 0;
  std::array<std::uint32_t, 4> words_{};
  std::size_t at_ = 4;
};

void put_half(std::byte* to, float value) {
  const std::uint16_t half = kernels::f32_to_f16(value);
  std::memcpy(to, &half, sizeof half);
}

/// Sets the scales of a block with random codes. `scale` is in units of the type: an f16, an exponent, or a code of E4M3.
void set_scale(const BlockType& type, float scale, std::byte* block) {
  if (type.name == "MXFP4") {
    block[0] = static_cast<std::byte>(static_cast<int>(scale));
  } else if (type.name == "NVFP4") {
    std::fill(block, block + 4, static_cast<std::byte>(static_cast<int>(scale)));
  }
  for (const ScalePlace& place : scale_places) {
    if (place.type != type.name) continue;
    put_half(block + place.scale, scale);
    if (place.minimum) put_half(block + *place.minimum, scale * place.ratio);
  }
  // Codes of two bits are -1, 0, 1 and rarely meant to be 2: a 3 becomes a 1, which means 0.
  const std::size_t from = type.name == "TQ2_0" ? 0 : type.id == 42 ? 2 : type.bytes;
  const std::size_t to = type.name == "TQ2_0" ? 64 : type.bytes;
  for (std::size_t at = from; at < to; ++at) {
    const auto byte = std::to_integer<unsigned>(block[at]);
    block[at] = static_cast<std::byte>(byte & ~((byte << 1) & byte & 0xaaU));
  }
}

/// Deviation of values of random blocks under `scale`.
double deviation(const BlockType& type, float scale) {
  Words words(0, 0);
  core::ByteVector block(type.bytes);
  std::vector<float> values(type.elements);
  double sum = 0.0;
  const std::size_t rounds = 8192 / type.elements;
  for (std::size_t round = 0; round < rounds; ++round) {
    words.fill(block.data(), block.size());
    set_scale(type, scale, block.data());
    type.decode(block.data(), values.data());
    for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum / static_cast<double>(rounds * type.elements));
}

/// The scale that gives `target`, or comes nearest.
float scale_for(const BlockType& type, double target) {
  if (type.name != "MXFP4" && type.name != "NVFP4") return static_cast<float>(target / deviation(type, 1.0F));
  float best = 1.0F;
  double off = 1e300;
  for (int code = 1; code < (type.name == "MXFP4" ? 255 : 127); ++code) {
    const double ratio = deviation(type, static_cast<float>(code)) / target;
    const double distance = std::max(ratio, 1.0 / ratio);
    if (distance < off) off = distance, best = static_cast<float>(code);
  }
  return best;
}

core::ByteVector random_blocks(const BlockType& type, std::uint64_t elements, double target, std::uint64_t seed, std::uint32_t tensor) {
  core::ByteVector out(elements / type.elements * type.bytes);
  Words words(seed, tensor);
  if (type.elements == 1) {  // even between -sqrt(3) and sqrt(3) deviations
    const float reach = static_cast<float>(target * 1.7320508075688772);
    for (std::uint64_t i = 0; i < elements; ++i) {
      const float value = (static_cast<float>(words.next() >> 8) * 0x1p-23F - 1.0F) * reach;
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      if (type.name == "F16") bits = kernels::f32_to_f16(value);
      if (type.name == "BF16") bits >>= 16;
      std::memcpy(out.data() + i * type.bytes, &bits, type.bytes);
    }
    return out;
  }
  const float scale = scale_for(type, target);
  for (std::size_t at = 0; at < out.size(); at += type.bytes) {
    words.fill(out.data() + at, type.bytes);
    set_scale(type, scale, out.data() + at);
  }
  return out;
}

/// Byte-level BPE of the 256 bytes alone, three control tokens, and tokens that nothing becomes.
void add_vocabulary(GgufOutput& out, std::uint32_t size) {
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  std::vector<std::int32_t> types(3, 3);
  for (int byte = 0; byte < 256; ++byte) {
    const char single = static_cast<char>(byte);
    tokens.push_back(BpeModel::encode_text({&single, 1}));
    types.push_back(1);
  }
  while (tokens.size() < size) {
    tokens.push_back("<|unused_" + std::to_string(tokens.size()) + "|>");
    types.push_back(5);
  }
  out.add_string("tokenizer.ggml.model", "gpt2").add_string("tokenizer.ggml.pre", "gpt-2");
  out.add_strings("tokenizer.ggml.tokens", tokens).add_i32s("tokenizer.ggml.token_type", types);
  out.add_strings("tokenizer.ggml.merges", {});
  out.add_u32("tokenizer.ggml.bos_token_id", 0).add_u32("tokenizer.ggml.eos_token_id", 2).add_bool("tokenizer.ggml.add_bos_token", true);
}

void add_metadata(GgufOutput& out, const ModelShape& s) {
  const std::string arch(s.architecture);
  const auto key = [&](const char* name) { return arch + "." + name; };
  out.add_string("general.architecture", arch).add_string("general.name", "random weights like " + std::string(s.name));
  out.add_u32("general.quantization_version", 2);
  out.add_u32(key("block_count"), s.layers).add_u32(key("context_length"), s.context).add_u32(key("embedding_length"), s.width);
  out.add_u32(key("feed_forward_length"), s.hidden).add_u32(key("attention.head_count"), s.heads);
  out.add_u32(key("attention.head_count_kv"), s.kv_heads).add_u32(key("attention.key_length"), s.head_dim);
  out.add_u32(key("attention.value_length"), s.head_dim).add_u32(key("rope.dimension_count"), s.head_dim);
  out.add_f32(key("attention.layer_norm_rms_epsilon"), s.norm_epsilon).add_f32(key("rope.freq_base"), s.rope_base);
  out.add_u32(key("vocab_size"), s.vocabulary);
  if (s.window != 0) out.add_u32(key("attention.sliding_window"), s.window);
}

/// Adds the tensors in the order of their names in a file, counting.
class Tensors {
 public:
  Tensors(GgufOutput& out, const BlockType& type, std::uint64_t seed) : out_{out}, type_{type}, seed_{seed} {}
  RandomModel done() { return std::move(done_); }

  void matrix(const std::string& name, std::uint64_t rows, std::uint64_t k) {
    const BlockType* type = &type_;
    if (k % type->elements != 0) {
      type = kernels::find_block_type(std::string_view("Q8_0"));
      done_.kept.push_back(name + ": rows of " + std::to_string(k) + " are no whole blocks of " + std::to_string(type_.elements) +
                           ", Q8_0 instead");
    }
    const double target = 1.0 / std::sqrt(static_cast<double>(k));
    const auto tensor = static_cast<std::uint32_t>(done_.tensors);
    add({name, {k, rows}, type, [=, seed = seed_]() -> core::Result<core::ByteVector> {
           return random_blocks(*type, rows * k, target, seed, tensor);
         }});
  }
  void ones(const std::string& name, std::uint64_t n) {
    add({name, {n}, kernels::find_block_type(0U), [n]() -> core::Result<core::ByteVector> {
           const std::vector<float> values(n, 1.0F);
           const auto bytes = std::as_bytes(std::span(values));
           return core::ByteVector(bytes.begin(), bytes.end());
         }});
  }

 private:
  void add(GgufOutputTensor tensor) {
    ++done_.tensors;
    done_.bytes += tensor.bytes();
    out_.add_tensor(std::move(tensor));
  }

  GgufOutput& out_;
  const BlockType& type_;
  std::uint64_t seed_;
  RandomModel done_;
};

}  // namespace

const ModelShape* find_model_shape(std::string_view name) {
  for (const ModelShape& shape : shapes) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

std::string model_shape_names() {
  std::string names;
  for (const ModelShape& shape : shapes) names.append(names.empty() ? "" : ", ").append(shape.name);
  return names;
}

core::Result<RandomModel> write_random_model(const ModelShape& s, const BlockType& type, std::uint64_t seed, const std::string& path) {
  if (type.decode == nullptr)
    return core::fail(core::Errc::unsupported,
                      "type " + std::string(type.name) + " cannot be made; want one of " + kernels::decodable_types());
  GgufOutput out;
  add_metadata(out, s);
  add_vocabulary(out, s.vocabulary);
  Tensors tensors(out, type, seed);
  const std::uint64_t q_width = std::uint64_t{s.heads} * s.head_dim;
  const std::uint64_t kv_width = std::uint64_t{s.kv_heads} * s.head_dim;
  const bool head_norms = s.architecture != "llama";
  tensors.matrix("token_embd.weight", s.vocabulary, s.width);
  for (std::uint32_t layer = 0; layer < s.layers; ++layer) {
    const auto name = [&](const char* part) { return "blk." + std::to_string(layer) + "." + part + ".weight"; };
    tensors.ones(name("attn_norm"), s.width);
    tensors.matrix(name("attn_q"), q_width, s.width);
    tensors.matrix(name("attn_k"), kv_width, s.width);
    tensors.matrix(name("attn_v"), kv_width, s.width);
    if (head_norms) {
      tensors.ones(name("attn_q_norm"), s.head_dim);
      tensors.ones(name("attn_k_norm"), s.head_dim);
    }
    tensors.matrix(name("attn_output"), s.width, q_width);
    if (s.architecture == "gemma3") tensors.ones(name("post_attention_norm"), s.width);
    tensors.ones(name("ffn_norm"), s.width);
    tensors.matrix(name("ffn_gate"), s.hidden, s.width);
    tensors.matrix(name("ffn_up"), s.hidden, s.width);
    tensors.matrix(name("ffn_down"), s.width, s.hidden);
    if (s.architecture == "gemma3") tensors.ones(name("post_ffw_norm"), s.width);
  }
  tensors.ones("output_norm.weight", s.width);
  if (!s.tied) tensors.matrix("output.weight", s.vocabulary, s.width);
  if (const auto written = out.write(path); !written) return tl::make_unexpected(written.error());
  return tensors.done();
}

}  // namespace spillway::model
