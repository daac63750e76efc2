#include "model/weights.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/model/tiny_model.h"

namespace {

using namespace spillway;

core::Result<model::Weights> load(const core::ByteVector& bytes) {
  const auto file = model::GgufFile::parse(bytes);
  BOOST_REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().message));
  kernels::ThreadPool pool{1};
  return model::load_weights(*file, pool);
}

std::size_t place_of(const core::ByteVector& bytes, std::string_view text) {
  const auto wanted = core::as_bytes(text);
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  BOOST_REQUIRE(found != bytes.end());
  return static_cast<std::size_t>(found - bytes.begin());
}

/// The u32 or f32 behind a metadata key (key, type, value).
template <class T>
void set_value(core::ByteVector& bytes, std::string_view key, T value) {
  static_assert(sizeof value == 4);
  std::memcpy(&bytes[place_of(bytes, key) + key.size() + 4], &value, sizeof value);
}

void rename(core::ByteVector& bytes, std::string_view from, std::string_view to) {
  BOOST_REQUIRE(from.size() == to.size());
  std::memcpy(&bytes[place_of(bytes, from)], to.data(), to.size());
}

/// Loading fails and the message has all of `parts`.
void refused(const core::ByteVector& bytes, const std::initializer_list<std::string_view>& parts) {
  const auto weights = load(bytes);
  BOOST_REQUIRE(!weights.has_value());
  for (const auto part : parts)
    BOOST_TEST(weights.error().message.find(part) != std::string::npos, weights.error().message << " | " << part);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(weights)

BOOST_AUTO_TEST_CASE(all_four_types_are_bound) {
  const auto tiny = model::test::make_tiny_model({.tied = false, .rope_factors = true});
  const auto weights = load(tiny.file);
  BOOST_REQUIRE_MESSAGE(weights.has_value(), (weights ? "" : weights.error().message));
  BOOST_TEST(weights->shape.q_width() == 192U);
  BOOST_TEST(weights->shape.kv_width() == 64U);
  BOOST_TEST(weights->shape.vocabulary == tiny.vocabulary);
  BOOST_TEST(weights->rope_factors.size() == 32U);
  BOOST_TEST(weights->output.has_value());
  std::size_t types[kernels::weight_type_count] = {};
  for (const auto& l : weights->layers)
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) ++types[static_cast<std::size_t>(m->type())];
  for (const auto type : {kernels::WeightType::f32, kernels::WeightType::f16, kernels::WeightType::q4_1, kernels::WeightType::q8_0})
    BOOST_TEST(types[static_cast<std::size_t>(type)] > 0U);
  std::vector<float> row(160);
  weights->layers[1].down.dequantize_row(5, row.data());
  const auto& values = tiny.values.at("blk.1.ffn_down.weight");
  for (std::size_t i = 0; i < row.size(); ++i)
    BOOST_TEST(static_cast<double>(row[i]) == values[5 * row.size() + i], boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_CASE(wrong_files_are_refused_by_name) {
  const auto good = model::test::make_tiny_model({}).file;
  BOOST_TEST(load(good).has_value());
  const auto changed = [&](const auto& change) {
    auto bytes = good;
    change(bytes);
    return bytes;
  };
  refused(changed([](auto& b) { rename(b, "blk.1.ffn_up.weight", "blk.1.ffn_ux.weight"); }),
          {"\"blk.1.ffn_up.weight\" is missing", "[96, 160]"});
  refused(changed([](auto& b) { set_value(b, "llama.feed_forward_length", 192U); }),
          {"blk.0.ffn_gate.weight", "[96, 160]", "want [96, 192]"});
  refused(changed([](auto& b) { set_value(b, "llama.block_count", 1U); }), {"blk.1.", "not known"});
  refused(changed([](auto& b) { set_value(b, "llama.block_count", 0U); }), {"llama.block_count", "want 1"});
  refused(changed([](auto& b) { set_value(b, "llama.attention.head_count", 2U); }), {"blk.0.attn_q.weight", "want [96, 128]"});
  refused(changed([](auto& b) { set_value(b, "llama.attention.head_count_kv", 2U); }), {"no multiple"});
  refused(changed([](auto& b) { set_value(b, "llama.rope.dimension_count", 32U); }), {"64", "of positions 32"});
  refused(changed([](auto& b) { set_value(b, "llama.attention.layer_norm_rms_epsilon", -1.0F); }), {"layer_norm_rms_epsilon"});
  refused(changed([](auto& b) { set_value(b, "llama.rope.freq_base", 0.0F); }), {"freq_base"});
  refused(changed([](auto& b) { rename(b, "general.architecture", "general.architectura"); }), {"general.architecture"});
  refused(changed([](auto& b) { rename(b, "token_embd.weight", "token_embx.weight"); }), {"token_embd.weight", "missing"});
}

BOOST_AUTO_TEST_CASE(every_byte_of_a_tensor_is_in_the_digest) {
  const auto tiny = model::test::make_tiny_model({});
  const auto weights = load(tiny.file);
  auto other = tiny.file;
  other.back() ^= std::byte{1};
  const auto changed = load(other);
  BOOST_REQUIRE(weights.has_value());
  BOOST_REQUIRE(changed.has_value());
  BOOST_TEST((weights->digest != changed->digest));
  const auto id = model::kv_id(*weights, core::PageFormat::raw16, 1);
  BOOST_TEST((id != model::kv_id(*changed, core::PageFormat::raw16, 1)));
  BOOST_TEST((id != model::kv_id(*weights, core::PageFormat::raw32, 1)));
  BOOST_TEST((id != model::kv_id(*weights, core::PageFormat::raw16, 2)));
  auto rope = tiny.file;
  set_value(rope, "llama.rope.freq_base", 10001.0F);
  const auto turned = load(rope);
  BOOST_REQUIRE(turned.has_value());
  BOOST_TEST((turned->digest == weights->digest));
  BOOST_TEST((id != model::kv_id(*turned, core::PageFormat::raw16, 1)));
}

BOOST_AUTO_TEST_SUITE_END()
