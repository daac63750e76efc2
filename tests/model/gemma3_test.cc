// What is gemma3's alone in metadata; its arithmetic is in graph_test.cc.

#include "model/gemma3.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <string>

#include "tests/model/gguf_writer.h"

namespace {

using namespace spillway;

core::Result<model::GraphShape> shape_of(const std::function<void(model::test::GgufWriter&)>& more, std::uint32_t layers = 12) {
  model::test::GgufWriter writer;
  writer.add_string("general.architecture", "gemma3").add_u32("gemma3.block_count", layers);
  writer.add_u32("gemma3.context_length", 512).add_u32("gemma3.embedding_length", 5376).add_u32("gemma3.feed_forward_length", 96);
  writer.add_u32("gemma3.attention.head_count", 32).add_u32("gemma3.attention.head_count_kv", 16);
  writer.add_u32("gemma3.attention.key_length", 128).add_u32("gemma3.attention.value_length", 128);
  writer.add_f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6F).add_f32("gemma3.rope.freq_base", 1e6F);
  more(writer);
  const auto bytes = writer.finish();
  const auto file = model::GgufFile::parse(bytes);
  BOOST_REQUIRE_MESSAGE(file.has_value(), (file ? "" : file.error().message));
  return model::read_graph_shape(*file);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gemma3)

BOOST_AUTO_TEST_CASE(five_layers_of_six_are_windowed) {
  const auto shape = shape_of([](auto& w) { w.add_u32("gemma3.attention.sliding_window", 512); });
  BOOST_REQUIRE_MESSAGE(shape.has_value(), (shape ? "" : shape.error().message));
  for (std::uint32_t layer = 0; layer < 12; ++layer) BOOST_TEST(shape->is_windowed(layer) == (layer != 5 && layer != 11));
  BOOST_TEST(shape->window_rope_base == 10000.0F);
  BOOST_TEST(shape->rope.base == 1e6F);
  BOOST_TEST(shape->logit_softcap == 0.0F);
  BOOST_TEST(shape->attention_scale == 0.0F);
  const auto plain = shape_of([](auto&) {});
  BOOST_REQUIRE(plain.has_value());
  for (std::uint32_t layer = 0; layer < 12; ++layer) BOOST_TEST(!plain->is_windowed(layer));
  BOOST_TEST(model::Graph::workspace_bytes(*shape, 64, 1) > model::Graph::workspace_bytes(*plain, 64, 1));
}

BOOST_AUTO_TEST_CASE(the_largest_has_a_scale_of_its_own) {
  const auto shape = shape_of([](auto&) {}, 62);
  BOOST_REQUIRE(shape.has_value());
  BOOST_TEST(shape->attention_scale == 1.0F / std::sqrt(168.0F));
}

BOOST_AUTO_TEST_CASE(wrong_keys_are_refused_by_name) {
  const auto refused = [](const std::function<void(model::test::GgufWriter&)>& more, const std::string& wish) {
    const auto shape = shape_of(more);
    BOOST_REQUIRE(!shape.has_value());
    BOOST_TEST(shape.error().message.find(wish) != std::string::npos, shape.error().message << " | " << wish);
  };
  refused([](auto& w) { w.add_u32("gemma3.attention.sliding_window_pattern", 0); }, "sliding_window_pattern = 0; want 1 to 4096");
  refused([](auto& w) { w.add_string("gemma3.attention.sliding_window", "512"); }, "gemma3.attention.sliding_window");
  refused([](auto& w) { w.add_f32("gemma3.rope.freq_base_swa", 0.5F); }, "gemma3.rope.freq_base_swa");
  refused([](auto& w) { w.add_f32("gemma3.final_logit_softcapping", -1.0F); }, "gemma3.final_logit_softcapping");
  refused([](auto& w) { w.add_f32("gemma3.final_logit_softcapping", std::nanf("")); }, "gemma3.final_logit_softcapping");
  refused([](auto& w) { w.add_string("gemma3.rope.scaling.type", "longrope"); }, "\"longrope\"; this version computes");
  refused([](auto& w) { w.add_string("gemma3.rope.scaling.type", "yarn"); }, "gemma3.rope.scaling.factor");
  refused([](auto& w) { w.add_f32("gemma3.rope.scaling.factor", 0.0F); }, "gemma3.rope.scaling.factor");
  refused([](auto& w) { w.add_u32("gemma3.expert_count", 8); }, "gemma3.expert_count");
}

BOOST_AUTO_TEST_SUITE_END()
