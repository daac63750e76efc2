// Each architecture against Hugging Face transformers, on tiny models with random weights (tests/model/reference).

#include "model/graph.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "model/cpu_device.h"
#include "tests/model/drive.h"
#include "tests/model/shared_data.h"
#include "tests/model/tiny_reference.h"

namespace {

using namespace spillway;
using kernels::Isa;
using model::test::drive;
using model::test::TinyReference;

constexpr double tolerance = 1e-4;

std::unique_ptr<model::CpuDevice> open(const boost::json::object& document, unsigned threads = 2, std::optional<Isa> isa = {},
                                       core::PageFormat format = core::PageFormat::raw32) {
  const auto path = model::test::write_reference(document);
  auto device =
      model::CpuDevice::make({.path = path, .page_format = format, .blocks = 160, .threads = threads, .isa = isa, .step_rows_max = 1024});
  std::filesystem::remove(path);
  BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
  return std::move(*device);
}

/// Largest difference from the stored logits of a model made by `document`.
double worst(const TinyReference& reference, const boost::json::object& document) {
  auto device = open(document);
  std::vector<core::BlockId> blocks((reference.tokens.size() + 15) / 16);
  std::iota(blocks.rbegin(), blocks.rend(), core::BlockId{3});
  const core::StepItem item{{}, 0, reference.tokens, blocks, {}, {}};
  std::vector<model::WantedRow> wanted;
  for (const auto position : reference.positions) wanted.push_back({0, position});
  double largest = 0;
  device->runner().run({&item, 1}, wanted, [&](std::size_t index, const float* logits) {
    const auto& want = reference.logits[index];
    for (std::size_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(logits[i]) - want[i]));
  });
  return largest;
}

/// The value of a metadata key.
boost::json::value& value_of(boost::json::object& document, const std::string& key) {
  for (auto& entry : document.at("metadata").as_array())
    if (model::test::text_of(entry.as_array()[0]) == key) return entry.as_array()[2];
  BOOST_FAIL("no key " + key);
  return document.at("metadata");
}

void multiply(boost::json::object& document, const std::string& key, double factor) {
  auto& value = value_of(document, key);
  value = value.to_number<double>() * factor;
}

void add(boost::json::object& document, const std::string& key, std::int64_t more) {
  auto& value = value_of(document, key);
  value = value.to_number<std::int64_t>() + more;
}

void remove_key(boost::json::object& document, const std::string& key) {
  auto& metadata = document.at("metadata").as_array();
  const auto found =
      std::find_if(metadata.begin(), metadata.end(), [&](const auto& entry) { return model::test::text_of(entry.as_array()[0]) == key; });
  BOOST_REQUIRE(found != metadata.end());
  metadata.erase(found);
}

/// Every tensor of that ending becomes `offset` throughout.
void flatten(boost::json::object& document, const std::string& ending, double offset) {
  int changed = 0;
  for (auto& entry : document.at("tensors").as_array()) {
    auto& tensor = entry.as_array();
    if (!model::test::text_of(tensor[0]).ends_with(ending)) continue;
    tensor.resize(2);  // away with its values, or with its scale and offset
    tensor.push_back(0.0);
    tensor.push_back(offset);
    ++changed;
  }
  BOOST_REQUIRE(changed > 0);
}

/// Biases of 0, for an architecture that wants some.
void add_zero_biases(boost::json::object& document) {
  auto& tensors = document.at("tensors").as_array();
  std::vector<boost::json::array> biases;
  for (const auto& entry : tensors) {
    const auto& tensor = entry.as_array();
    const auto name = model::test::text_of(tensor[0]);
    for (const std::string part : {"attn_q", "attn_k", "attn_v"})
      if (const std::string ending = part + ".weight"; name.ends_with(ending))
        biases.push_back(
            {name.substr(0, name.size() - ending.size()) + part + ".bias", boost::json::array{tensor[1].as_array()[1]}, 0.0, 0.0});
  }
  for (auto& bias : biases) tensors.push_back(std::move(bias));
}

/// The file under another architecture's name, keys and all.
void rename(boost::json::object& document, const std::string& from, const std::string& to) {
  value_of(document, "general.architecture") = to;
  for (auto& entry : document.at("metadata").as_array()) {
    auto& key = entry.as_array()[0];
    const auto text = model::test::text_of(key);
    if (text.starts_with(from + ".")) key = to + text.substr(from.size());
  }
}

struct Mutant {
  const char* name;  // the fact
  const char* reference;
  std::function<void(boost::json::object&)> change;
  friend std::ostream& operator<<(std::ostream& out, const Mutant& m) { return out << m.reference << ": " << m.name; }
};

const Mutant mutants[] = {
    {"base of positions", "llama", [](auto& d) { multiply(d, "llama.rope.freq_base", 1.1); }},
    {"epsilon of norms", "llama", [](auto& d) { multiply(d, "llama.attention.layer_norm_rms_epsilon", 100); }},
    {"pairs side by side", "llama", [](auto& d) { rename(d, "llama", "qwen2"), add_zero_biases(d); }},
    {"bias of q", "llama-biased", [](auto& d) { flatten(d, "attn_q.bias", 0); }},
    {"bias of k", "llama-biased", [](auto& d) { flatten(d, "attn_k.bias", 0); }},
    {"bias of v", "llama-biased", [](auto& d) { flatten(d, "attn_v.bias", 0); }},
    {"bias of the output", "llama-biased", [](auto& d) { flatten(d, "attn_output.bias", 0); }},
    {"own head", "llama-biased", [](auto& d) { flatten(d, "output.weight", 0); }},
    {"rope_freqs", "llama3", [](auto& d) { flatten(d, "rope_freqs.weight", 1); }},
    {"factor of linear scaling", "llama-linear", [](auto& d) { multiply(d, "llama.rope.scaling.factor", 1.1); }},
    {"linear, not yarn", "llama-yarn", [](auto& d) { value_of(d, "llama.rope.scaling.type") = "linear"; }},
    {"context before yarn", "llama-yarn", [](auto& d) { multiply(d, "llama.rope.scaling.original_context_length", 8); }},
    {"biases of qwen2", "qwen2", [](auto& d) { flatten(d, "attn_k.bias", 0); }},
    {"pairs by halves", "qwen2", [](auto& d) { rename(d, "qwen2", "llama"); }},
    {"norm of q", "qwen3", [](auto& d) { flatten(d, "attn_q_norm.weight", 1); }},
    {"norm of k", "qwen3", [](auto& d) { flatten(d, "attn_k_norm.weight", 1); }},
    {"window one longer", "gemma3", [](auto& d) { add(d, "gemma3.attention.sliding_window", 1); }},
    {"window one shorter", "gemma3", [](auto& d) { add(d, "gemma3.attention.sliding_window", -1); }},
    {"base of layers that see everything", "gemma3", [](auto& d) { multiply(d, "gemma3.rope.freq_base", 1.1); }},
    {"scaling of layers that see everything", "gemma3", [](auto& d) { multiply(d, "gemma3.rope.scaling.factor", 1.1); }},
    {"base of windowed layers", "gemma3",
     [](auto& d) {
       d.at("metadata").as_array().push_back({"gemma3.rope.freq_base_swa", "f32", 11000.0});
     }},
    {"one layer in six sees everything", "gemma3",
     [](auto& d) {
       d.at("metadata").as_array().push_back({"gemma3.attention.sliding_window_pattern", "u32", 5});
     }},
    {"softcap", "gemma3", [](auto& d) { remove_key(d, "gemma3.final_logit_softcapping"); }},
    {"norm behind attention", "gemma3", [](auto& d) { flatten(d, "post_attention_norm.weight", 1); }},
    {"norm behind the hidden part", "gemma3", [](auto& d) { flatten(d, "post_ffw_norm.weight", 1); }},
    {"norm of q", "gemma3", [](auto& d) { flatten(d, "attn_q_norm.weight", 1); }},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(graph)

BOOST_AUTO_TEST_CASE(logits_are_those_of_transformers) {
  const auto names = model::test::reference_names();
  BOOST_TEST(names.size() >= 8U);
  for (const auto& name : names) {
    const auto reference = model::test::read_reference(name);
    BOOST_REQUIRE(reference.positions.size() == 32U);
    BOOST_REQUIRE(reference.logits.size() == 32U);
    BOOST_TEST(model::test::reference_digest(reference.document) == model::test::text_of(reference.document.at("digest")));
    const double difference = worst(reference, reference.document);
    BOOST_TEST(difference < tolerance, name << ": " << difference);
    BOOST_TEST_MESSAGE(name << ": largest difference " << difference);
  }
}

BOOST_AUTO_TEST_CASE(each_fact_of_an_architecture_is_seen) {
  double least = 1e9;
  for (const auto& mutant : mutants) {
    const auto reference = model::test::read_reference(mutant.reference);
    auto document = reference.document;
    mutant.change(document);
    const double difference = worst(reference, document);
    BOOST_TEST(difference > tolerance, mutant << ": " << difference);
    least = std::min(least, difference);
  }
  BOOST_TEST_MESSAGE(std::size(mutants) << " changed facts, the faintest moves a logit by " << least);
}

BOOST_AUTO_TEST_CASE(a_scale_beside_a_matrix_is_a_factor_of_it) {
  const auto reference = model::test::read_reference("llama");  // whose head is the embedding
  for (const std::string name : {"blk.1.ffn_down", "token_embd"}) {
    auto doubled = reference.document;
    for (auto& entry : doubled.at("tensors").as_array())
      if (auto& tensor = entry.as_array(); model::test::text_of(tensor[0]) == name + ".weight")
        tensor[2] = 2 * tensor[2].to_number<double>();
    auto scaled = reference.document;
    scaled.at("tensors").as_array().push_back({name + ".scale", boost::json::array{1}, 0.0, 2.0});
    const double difference = worst(reference, scaled);
    BOOST_TEST(difference == worst(reference, doubled), name);
    BOOST_TEST(difference > tolerance, name);
  }
}

BOOST_AUTO_TEST_CASE(same_bits_by_every_road) {
  int roads = 0;
  for (const auto& name : {"llama-biased", "llama-yarn", "qwen2", "qwen3", "gemma3"}) {
    const auto reference = model::test::read_reference(name);
    auto request = model::test::make_request({reference.tokens.begin(), reference.tokens.begin() + 300}, 12);
    request->logprobs = 5;
    request->ignore_eos = true;
    request->sampling.temperature = 0.8F;
    request->sampling.seed = 5;
    const auto raw16 = core::PageFormat::raw16;
    const auto want = drive(*open(reference.document, 1, Isa::scalar, raw16), request, {});
    BOOST_REQUIRE(want.size() == 12U);
    for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512}) {
      if (!kernels::isa_supported(isa)) continue;
      auto device = open(reference.document, 2, isa, raw16);
      for (const std::uint32_t chunk : {1U, 23U, 64U, 1024U}) {
        BOOST_TEST((drive(*device, request, {.chunk = chunk, .first_block = chunk % 7, .stride = 2}) == want));
        BOOST_TEST((drive(*device, request, {.from = 288, .chunk = chunk, .first_block = chunk % 7, .stride = 2}) == want));
        roads += 2;
      }
    }
  }
  BOOST_TEST_MESSAGE(roads << " roads");
}

BOOST_AUTO_TEST_SUITE_END()
