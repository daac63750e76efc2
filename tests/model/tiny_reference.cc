#include "tests/model/tiny_reference.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "tests/model/gguf_writer.h"
#include "tests/model/shared_data.h"

namespace spillway::model::test {

namespace {

const std::filesystem::path folder = std::filesystem::path(SPILLWAY_SOURCE_DIR) / "tests/model/reference";
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;

/// The finaliser of SplitMix64.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Word `i` of a counter under (seed, stream); make_references.py computes the same.
std::uint64_t word(std::uint64_t seed, std::uint64_t stream, std::uint64_t i) {
  return mix(mix(seed * golden + stream) + i * golden);
}

/// 24 bits, even in offset + [-scale, scale); one product and one sum, each rounded to f32.
float value(std::uint64_t word, float scale, float offset) {
  const auto whole = static_cast<std::int32_t>(word >> 40) - (1 << 23);
  const float scaled = static_cast<float>(whole) * 0x1p-23F * scale;
  return scaled + offset;
}

template <class T>
T number(const boost::json::value& json) {
  return json.to_number<T>();
}

std::vector<float> tensor_values(const boost::json::array& tensor, std::uint64_t seed, std::uint64_t stream) {
  std::vector<float> values;
  if (tensor[2].is_array()) {
    for (const auto& x : tensor[2].as_array()) values.push_back(static_cast<float>(number<double>(x)));
    return values;
  }
  std::uint64_t n = 1;
  for (const auto& dim : tensor[1].as_array()) n *= number<std::uint64_t>(dim);
  const auto scale = static_cast<float>(number<double>(tensor[2]));
  const auto offset = static_cast<float>(number<double>(tensor[3]));
  for (std::uint64_t i = 0; i < n; ++i) values.push_back(value(word(seed, stream, i), scale, offset));
  return values;
}

}  // namespace

std::vector<std::string> reference_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

TinyReference read_reference(const std::string& name) {
  const auto json = read_json((folder / (name + ".json")).string());
  TinyReference reference{json.as_object(), {}, {}, {}};
  const auto seed = number<std::uint64_t>(json.at("seed"));
  const auto vocabulary = number<std::uint64_t>(json.at("vocabulary"));
  for (std::uint64_t i = 0; i < number<std::uint64_t>(json.at("tokens")); ++i)
    reference.tokens.push_back(static_cast<core::TokenId>(word(seed, 0, i) % vocabulary));
  for (const auto& position : json.at("positions").as_array()) reference.positions.push_back(number<std::uint32_t>(position));
  for (const auto& row : json.at("logits").as_array()) {
    auto& logits = reference.logits.emplace_back();
    for (const auto& x : row.as_array()) logits.push_back(number<double>(x));
  }
  return reference;
}

core::ByteVector reference_file(const boost::json::object& document) {
  GgufWriter writer;
  for (const auto& entry : document.at("metadata").as_array()) {
    const auto& pair = entry.as_array();
    const std::string key = text_of(pair[0]);
    const std::string type = text_of(pair[1]);
    if (type == "string") writer.add_string(key, text_of(pair[2]));
    if (type == "u32") writer.add_u32(key, number<std::uint32_t>(pair[2]));
    if (type == "f32") writer.add_f32(key, static_cast<float>(number<double>(pair[2])));
  }
  std::uint64_t stream = 0;
  for (const auto& entry : document.at("tensors").as_array()) {
    const auto& tensor = entry.as_array();
    std::vector<std::uint64_t> dims;
    for (const auto& dim : tensor[1].as_array()) dims.push_back(number<std::uint64_t>(dim));
    writer.add_tensor_f32(text_of(tensor[0]), dims, tensor_values(tensor, number<std::uint64_t>(document.at("seed")), ++stream));
  }
  return writer.finish();
}

std::string reference_digest(const boost::json::object& document) {
  std::uint64_t total = 0;
  std::uint64_t stream = 0;
  for (const auto& entry : document.at("tensors").as_array()) {
    ++stream;
    const auto values = tensor_values(entry.as_array(), number<std::uint64_t>(document.at("seed")), stream);
    for (std::uint64_t i = 0; i < values.size(); ++i) total += mix(std::bit_cast<std::uint32_t>(values[i]) + ((stream << 32) + i) * golden);
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(total));
  return text;
}

std::string write_reference(const boost::json::object& document) {
  static int written = 0;
  const auto file = reference_file(document);
  const auto path = std::filesystem::temp_directory_path() /
                    ("spillway-reference-" + std::to_string(::getpid()) + "-" + std::to_string(++written) + ".gguf");
  std::FILE* out = std::fopen(path.c_str(), "wb");
  if (out == nullptr || std::fwrite(file.data(), 1, file.size(), out) != file.size() || std::fclose(out) != 0) std::abort();
  return path.string();
}

}  // namespace spillway::model::test
