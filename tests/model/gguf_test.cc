#include "model/gguf.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "tests/model/gguf_writer.h"

using namespace spillway;
using namespace spillway::model;
using spillway::model::test::GgufWriter;

BOOST_AUTO_TEST_SUITE(gguf)

namespace {

core::ByteVector sample_file() {
  const std::vector<std::string> words = {"a", "", "long word"};
  const std::vector<float> floats = {0.5F, -1.0F};
  const std::vector<std::int32_t> ints = {7, -1, 3};
  const std::vector<float> data = {1, 2, 3, 4, 5, 6};
  GgufWriter writer;
  writer.add_string("general.architecture", "llama").add_u32("llama.block_count", 2).add_f32("eps", 1e-5F).add_bool("yes", true);
  writer.add_strings("words", words).add_f32s("floats", floats).add_i32s("ints", ints).add_u32("none", 0xffffffffU).add_u32("id", 2);
  writer.add_i32("minus", -4).add_f64("wide", 0.25);
  writer.add_tensor_f32("a.weight", {3, 2}, data).add_tensor_f32("b.weight", {6}, data);
  return writer.finish();
}

}  // namespace

BOOST_AUTO_TEST_CASE(reads_back_what_was_written) {
  const core::ByteVector bytes = sample_file();
  const auto file = GgufFile::parse(bytes);
  BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().message));
  BOOST_TEST(*file->get_string("general.architecture") == "llama");
  BOOST_TEST(*file->get_u64("llama.block_count") == 2U);
  BOOST_TEST(*file->get_f32("eps") == 1e-5F);
  BOOST_TEST(*file->get_f32("wide") == 0.25F);
  BOOST_TEST(*file->get_bool("yes"));
  BOOST_TEST(*file->get_u64("absent", 9) == 9U);
  BOOST_TEST(file->get_strings("words")->at(2) == "long word");
  BOOST_TEST(file->get_f32s("floats")->at(1) == -1.0F);
  BOOST_TEST(file->get_ints("ints")->at(1) == -1);
  BOOST_TEST(file->get_ints("id")->size() == 1U);
  BOOST_TEST(!file->get_token_id("none", 3)->has_value());
  BOOST_TEST(file->get_token_id("id", 3)->value() == 2);
  const GgufTensor* tensor = file->find_tensor("b.weight");
  BOOST_REQUIRE(tensor != nullptr);
  BOOST_TEST(tensor->bytes == 24U);
  BOOST_TEST(tensor->offset == 32U);
  const auto data = file->tensor_bytes(*tensor);
  BOOST_REQUIRE(data);
  float last = 0;
  std::memcpy(&last, data->data() + 20, 4);
  BOOST_TEST(last == 6.0F);
}

BOOST_AUTO_TEST_CASE(typed_access_names_key_type_and_wish) {
  const core::ByteVector bytes = sample_file();
  const auto file = GgufFile::parse(bytes);
  BOOST_REQUIRE(file);
  const auto says = [](const auto& result, std::string_view part) {
    return !result && result.error().code == core::Errc::bad_file && result.error().message.find(part) != std::string::npos;
  };
  BOOST_TEST(says(file->get_u64("absent"), "\"absent\" is missing"));
  BOOST_TEST(says(file->get_u64("eps"), "\"eps\" has type f32: want an integer"));
  BOOST_TEST(says(file->get_u64("minus"), "\"minus\" = -4"));
  BOOST_TEST(says(file->get_f32("yes"), "has type bool"));
  BOOST_TEST(says(file->get_bool("eps"), "want bool"));
  BOOST_TEST(says(file->get_string("words"), "array of string: want string"));
  BOOST_TEST(says(file->get_strings("floats"), "array of f32"));
  BOOST_TEST(says(file->get_f32s("ints"), "want array of f32"));
  BOOST_TEST(says(file->get_ints("words"), "want integers"));
  BOOST_TEST(says(file->get_token_id("id", 2), "below the vocabulary's 2"));
  BOOST_TEST(says(file->get_token_id("eps", 2), "integer token id"));
}

BOOST_AUTO_TEST_CASE(unknown_tensor_type_is_refused_only_when_used) {
  const std::vector<std::byte> data(64);
  const core::ByteVector bytes = GgufWriter().add_tensor("odd", {64}, 99, data).finish();
  const auto file = GgufFile::parse(bytes);
  BOOST_REQUIRE(file);
  const auto used = file->tensor_bytes(file->tensors()[0]);
  BOOST_REQUIRE(!used);
  BOOST_TEST(used.error().message.find("\"odd\" has type type 99") != std::string::npos, used.error().message);
}

// Two layouts, one id: 64 elements in 18 bytes, or 128 in 34.
BOOST_AUTO_TEST_CASE(groups_of_q2_0_are_told_apart_by_size) {
  const std::vector<std::byte> room(128 * 64);
  const auto layout_of = [&](const std::vector<std::size_t>& sizes) -> std::string {
    GgufWriter writer;
    writer.add_tensor_f32("norm", {4}, std::vector<float>(4));
    // The first has room for many elements; the second is so small that both layouts fill its padded room.
    writer.add_tensor("big", {128, 64}, 42, std::span(room).first(sizes.at(0)));
    writer.add_tensor("small", {128}, 42, std::span(room).first(sizes.at(1)));
    const core::ByteVector bytes = writer.finish();
    const auto file = GgufFile::parse(bytes);
    if (!file) return file.error().message;
    const GgufTensor& big = *file->find_tensor("big");
    BOOST_TEST(file->tensor_bytes(big)->size() == big.bytes);
    BOOST_TEST(big.type_name() == file->find_tensor("small")->type_name());
    return big.type_name() + " " + std::to_string(big.bytes) + " " + std::to_string(file->find_tensor("small")->bytes);
  };
  BOOST_TEST(layout_of({2304, 36}) == "Q2_0 2304 36");
  BOOST_TEST(layout_of({2176, 34}) == "Q2_0_G128 2176 34");
  const std::string refused = layout_of({2240, 36});
  BOOST_TEST(refused.find("tensor \"big\" size = 2240 bytes for 8192 elements of Q2_0") != std::string::npos, refused);
  BOOST_TEST(refused.find("want blocks of 18 bytes for 64 elements or of 34 for 128") != std::string::npos, refused);
  BOOST_TEST(layout_of({2304, 0}).find("tensor \"small\" size = 0 bytes") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(maps_files_and_refuses_what_is_none) {
  const std::string path = "/tmp/spillway_gguf_test_" + std::to_string(::getpid()) + ".gguf";
  const std::vector<float> data(8, 1.0F);
  BOOST_REQUIRE(GgufWriter().set_alignment(64).add_tensor_f32("w", {8}, data).write(path));
  {
    auto file = GgufFile::open(path);
    BOOST_REQUIRE(file);
    GgufFile moved = std::move(*file);
    BOOST_TEST(moved.alignment() == 64U);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(moved.tensor_bytes(moved.tensors()[0])->data()) % 64 == 0U);
  }
  std::remove(path.c_str());
  BOOST_TEST(GgufFile::open(path).error().message.find("cannot open") != std::string::npos);
  BOOST_TEST((GgufFile::map("/tmp").error().fault == GgufFault::not_a_file));
  BOOST_TEST((GgufFile::map("/dev/zero").error().fault == GgufFault::not_a_file));
}

BOOST_AUTO_TEST_SUITE_END()
