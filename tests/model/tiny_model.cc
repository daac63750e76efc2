#include "tests/model/tiny_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include "kernels/float16.h"
#include "tests/model/gguf_writer.h"
#include "tests/model/tiny_vocabulary.h"

namespace spillway::model::test {

namespace {

using kernels::f16_to_f32;
using kernels::f32_to_f16;

enum Type : std::uint32_t { f32 = 0, f16 = 1, q4_1 = 3, q8_0 = 8 };

/// SplitMix64, summed to something bell-shaped: no library's distribution, so the bytes are the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_{seed * 0x9e3779b97f4a7c15ULL + 1} {}
  double bell() {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<double>(next() >> 11) * 0x1p-53;
    return (sum - 2.0) * 1.7320508;  // variance 1
  }

 private:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
  std::uint64_t state_;
};

void put_u16(core::ByteVector& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value & 0xffU));
  out.push_back(static_cast<std::byte>(value >> 8));
}

void put_q8_0(core::ByteVector& out, std::vector<double>& values, const float* x) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(x[i]));
  const std::uint16_t half = f32_to_f16(largest / 127.0F);
  const double d = static_cast<double>(f16_to_f32(half));
  put_u16(out, half);
  for (int i = 0; i < 32; ++i) {
    const double q = d == 0 ? 0 : std::clamp(std::nearbyint(static_cast<double>(x[i]) / d), -127.0, 127.0);
    out.push_back(static_cast<std::byte>(static_cast<std::int8_t>(q)));
    values.push_back(d * q);
  }
}

void put_q4_1(core::ByteVector& out, std::vector<double>& values, const float* x) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  const std::uint16_t half = f32_to_f16((*high - *low) / 15.0F);
  const std::uint16_t minimum = f32_to_f16(*low);
  const double d = static_cast<double>(f16_to_f32(half));
  const double m = static_cast<double>(f16_to_f32(minimum));
  put_u16(out, half);
  put_u16(out, minimum);
  unsigned q[32];
  for (int i = 0; i < 32; ++i) {
    q[i] = d == 0 ? 0 : static_cast<unsigned>(std::clamp(std::nearbyint((static_cast<double>(x[i]) - m) / d), 0.0, 15.0));
    values.push_back(d * q[i] + m);
  }
  for (int i = 0; i < 16; ++i) out.push_back(static_cast<std::byte>(q[i] | q[i + 16] << 4));
}

class Maker {
 public:
  explicit Maker(const TinyOptions& options) : random_{options.seed} { model_.options = options; }

  TinyModel make() {
    const auto& o = model_.options;
    header();
    const std::uint32_t q_width = o.heads * o.head_dim;
    const std::uint32_t kv_width = o.kv_heads * o.head_dim;
    matrix("token_embd.weight", o.width, model_.vocabulary, 0.25);  // small, so that layers outweigh the token itself
    norm("output_norm.weight", o.width);
    if (!o.tied) matrix("output.weight", o.width, model_.vocabulary, 1.5 / std::sqrt(o.width));
    if (o.rope_factors) {
      std::vector<float> factors(o.head_dim / 2);
      for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = i < factors.size() / 2 ? 1.0F : 4.0F;
      put("rope_freqs.weight", {o.head_dim / 2}, f32, factors);
    }
    for (std::uint32_t l = 0; l < o.layers; ++l) {
      const auto name = [&](const char* part) { return "blk." + std::to_string(l) + "." + part + ".weight"; };
      norm(name("attn_norm"), o.width);
      matrix(name("attn_q"), o.width, q_width, 2.0 / std::sqrt(o.width));
      matrix(name("attn_k"), o.width, kv_width, 1.0 / std::sqrt(o.width));
      matrix(name("attn_v"), o.width, kv_width, 1.0 / std::sqrt(o.width));
      matrix(name("attn_output"), q_width, o.width, 1.0 / std::sqrt(q_width));
      norm(name("ffn_norm"), o.width);
      matrix(name("ffn_gate"), o.width, o.hidden, 1.0 / std::sqrt(o.width));
      matrix(name("ffn_up"), o.width, o.hidden, 1.0 / std::sqrt(o.width));
      matrix(name("ffn_down"), o.hidden, o.width, 1.0 / std::sqrt(o.hidden));
    }
    model_.file = writer_.finish();
    return std::move(model_);
  }

 private:
  void header() {
    const auto& o = model_.options;
    writer_.add_string("general.architecture", "llama").add_string("general.name", "tiny");
    writer_.add_u32("llama.context_length", o.context).add_u32("llama.embedding_length", o.width);
    writer_.add_u32("llama.block_count", o.layers).add_u32("llama.feed_forward_length", o.hidden);
    writer_.add_u32("llama.attention.head_count", o.heads).add_u32("llama.attention.head_count_kv", o.kv_heads);
    writer_.add_u32("llama.attention.key_length", o.head_dim).add_u32("llama.attention.value_length", o.head_dim);
    writer_.add_f32("llama.attention.layer_norm_rms_epsilon", 1e-5F).add_f32("llama.rope.freq_base", 10000.0F);
    writer_.add_u32("llama.rope.dimension_count", o.head_dim);
    if (o.vocabulary == TinyVocabulary::bpe) {
      add_tiny_bpe(writer_, "smollm", tiny_chat_template());
      const auto merges = tiny_merges();
      const auto steps = static_cast<std::uint32_t>(std::count(merges.begin(), merges.end(), "a a"));
      model_.vocabulary = 3 + 256 + static_cast<std::uint32_t>(merges.size()) - steps + 1;
    } else {
      add_tiny_spm(writer_);
      model_.vocabulary = 3 + 256 + static_cast<std::uint32_t>(tiny_pieces().size());
    }
  }

  void matrix(const std::string& name, std::uint64_t k, std::uint64_t rows, double spread) {
    static constexpr Type mixed[] = {q8_0, q4_1, f16, f32, q4_1};
    static constexpr Type floats[] = {f32, f16};
    const Type type = model_.options.types == TinyTypes::mixed ? mixed[matrices_ % 5] : floats[matrices_ % 2];
    ++matrices_;
    std::vector<float> x(k * rows);
    for (auto& value : x) value = static_cast<float>(random_.bell() * spread);
    put(name, {k, rows}, type, x);
  }

  void norm(const std::string& name, std::uint64_t n) {
    std::vector<float> x(n);
    for (auto& value : x) value = static_cast<float>(1.0 + 0.2 * random_.bell());
    put(name, {n}, f32, x);
  }

  void put(const std::string& name, std::vector<std::uint64_t> dims, Type type, const std::vector<float>& x) {
    core::ByteVector bytes;
    auto& values = model_.values[name];
    if (type == f32) {
      bytes.resize(x.size() * sizeof(float));
      std::memcpy(bytes.data(), x.data(), bytes.size());
      values.assign(x.begin(), x.end());
    } else if (type == f16) {
      for (const float value : x) {
        put_u16(bytes, f32_to_f16(value));
        values.push_back(static_cast<double>(f16_to_f32(f32_to_f16(value))));
      }
    } else {
      for (std::size_t i = 0; i < x.size(); i += 32) type == q8_0 ? put_q8_0(bytes, values, &x[i]) : put_q4_1(bytes, values, &x[i]);
    }
    writer_.add_tensor(name, std::move(dims), type, bytes);
  }

  Random random_;
  GgufWriter writer_;
  TinyModel model_;
  std::size_t matrices_ = 0;
};

using Row = std::vector<double>;

Row multiply(const Row& weights, const Row& x) {
  Row y(weights.size() / x.size());
  for (std::size_t r = 0; r < y.size(); ++r)
    for (std::size_t i = 0; i < x.size(); ++i) y[r] += weights[r * x.size() + i] * x[i];
  return y;
}

Row normed(const Row& x, const Row& weight) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(1e-5F)) * weight[i];
  return y;
}

void turn(Row& x, std::size_t head_dim, std::size_t position, const Row* factors) {
  for (std::size_t i = 0; i < x.size(); i += 2) {
    const std::size_t pair = i % head_dim / 2;
    const double factor = factors != nullptr ? (*factors)[pair] : 1.0;
    const double angle =
        static_cast<double>(position) * std::pow(10000.0, -2.0 * static_cast<double>(pair) / static_cast<double>(head_dim)) / factor;
    const double a = x[i];
    const double b = x[i + 1];
    x[i] = a * std::cos(angle) - b * std::sin(angle);
    x[i + 1] = a * std::sin(angle) + b * std::cos(angle);
  }
}

Row attend(const TinyOptions& o, const Row& q, const std::vector<Row>& keys, const std::vector<Row>& values) {
  Row out(q.size());
  for (std::size_t head = 0; head < o.heads; ++head) {
    const std::size_t kv = head / (o.heads / o.kv_heads) * o.head_dim;
    Row p(keys.size());
    for (std::size_t t = 0; t < p.size(); ++t) {
      for (std::size_t i = 0; i < o.head_dim; ++i) p[t] += q[head * o.head_dim + i] * keys[t][kv + i];
      p[t] /= std::sqrt(static_cast<double>(o.head_dim));
    }
    const double max = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (auto& x : p) sum += x = std::exp(x - max);
    for (std::size_t t = 0; t < p.size(); ++t)
      for (std::size_t i = 0; i < o.head_dim; ++i) out[head * o.head_dim + i] += p[t] / sum * values[t][kv + i];
  }
  return out;
}

}  // namespace

TinyModel make_tiny_model(const TinyOptions& options) {
  return Maker{options}.make();
}

std::string write_tiny_model(const TinyOptions& options) {
  const auto model = make_tiny_model(options);
  const auto name = std::hash<std::string_view>{}(core::as_text(model.file));
  const auto path = std::filesystem::temp_directory_path() / ("spillway-tiny-" + std::to_string(name) + ".gguf");
  // Two tests may write the same model at once: each writes its own file, the last rename wins.
  const auto draft = path.string() + "." + std::to_string(reinterpret_cast<std::uintptr_t>(&model)) + std::to_string(std::rand());
  std::FILE* file = std::fopen(draft.c_str(), "wb");
  if (file == nullptr || std::fwrite(model.file.data(), 1, model.file.size(), file) != model.file.size() || std::fclose(file) != 0)
    std::abort();
  std::filesystem::rename(draft, path);
  return path.string();
}

std::vector<double> reference_logits(const TinyModel& model, const std::vector<std::int32_t>& tokens, bool round_kv) {
  const auto& o = model.options;
  const auto round = [&](Row row) {
    if (round_kv)
      for (auto& x : row) x = static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(x))));
    return row;
  };
  const Row* factors = o.rope_factors ? &model.values.at("rope_freqs.weight") : nullptr;
  std::vector<std::vector<Row>> keys(o.layers);
  std::vector<std::vector<Row>> values(o.layers);
  Row x;
  for (std::size_t position = 0; position < tokens.size(); ++position) {
    const auto& embedding = model.values.at("token_embd.weight");
    const auto begin = embedding.begin() + static_cast<std::ptrdiff_t>(tokens[position]) * o.width;
    x.assign(begin, begin + o.width);
    for (std::uint32_t l = 0; l < o.layers; ++l) {
      const auto weight = [&](const char* part) -> const Row& {
        return model.values.at("blk." + std::to_string(l) + "." + part + ".weight");
      };
      Row h = normed(x, weight("attn_norm"));
      Row q = multiply(weight("attn_q"), h);
      Row k = multiply(weight("attn_k"), h);
      turn(q, o.head_dim, position, factors);
      turn(k, o.head_dim, position, factors);
      keys[l].push_back(round(k));
      values[l].push_back(round(multiply(weight("attn_v"), h)));
      Row added = multiply(weight("attn_output"), attend(o, q, keys[l], values[l]));
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += added[i];
      h = normed(x, weight("ffn_norm"));
      Row gate = multiply(weight("ffn_gate"), h);
      const Row up = multiply(weight("ffn_up"), h);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1.0 + std::exp(-gate[i])) * up[i];
      added = multiply(weight("ffn_down"), gate);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += added[i];
    }
  }
  return multiply(model.values.at(o.tied ? "token_embd.weight" : "output.weight"), normed(x, model.values.at("output_norm.weight")));
}

}  // namespace spillway::model::test
