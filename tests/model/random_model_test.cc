#include "model/random_model.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "model/gguf.h"
#include "model/tokenizer.h"
#include "tests/model/shared_data.h"

using namespace spillway;
using namespace spillway::model;

BOOST_AUTO_TEST_SUITE(random_model)

namespace {

struct Fixture {
  ~Fixture() { std::remove(path.c_str()); }
  RandomModel write(const char* type, std::uint64_t seed = 1) const {
    auto made = write_random_model(*find_model_shape("tiny"), *kernels::find_block_type(std::string_view(type)), seed, path);
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    return *made;
  }
  std::string path = "/tmp/spillway_random_" + std::to_string(::getpid()) + ".gguf";
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(every_type_has_sane_values, Fixture) {
  unsigned types = 0;
  for (const kernels::BlockType& type : kernels::block_types()) {
    if (type.decode == nullptr) continue;
    const RandomModel made = write(std::string(type.name).c_str());
    BOOST_TEST(made.tensors == 20U);
    BOOST_TEST(made.kept.empty());
    const auto file = GgufFile::open(path);
    BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().message));
    const GgufTensor& tensor = *file->find_tensor("blk.1.ffn_up.weight");
    BOOST_TEST(tensor.type_name() == type.name);
    std::vector<float> values(tensor.elements);
    BOOST_REQUIRE(kernels::dequantize(type, *file->tensor_bytes(tensor), values));
    double sum = 0.0;
    double squares = 0.0;
    for (const float value : values) {
      BOOST_REQUIRE(std::isfinite(value));
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const double count = static_cast<double>(values.size());
    const double deviation = std::sqrt(squares / count) * 16.0;  // rows of 256
    BOOST_TEST(deviation > 0.7, type.name << " " << deviation);
    BOOST_TEST(deviation < 1.4, type.name << " " << deviation);
    BOOST_TEST(std::fabs(sum / count) * 16.0 < 0.12, type.name << " mean " << sum / count * 16.0);
    ++types;
  }
  BOOST_TEST(types == 21U);
}

BOOST_FIXTURE_TEST_CASE(a_function_of_shape_type_and_seed, Fixture) {
  write("Q4_K");
  const std::string first = test::read_text(path);
  write("Q4_K");
  BOOST_TEST((test::read_text(path) == first));
  write("Q4_K", 2);
  BOOST_TEST((test::read_text(path) != first));
}

BOOST_FIXTURE_TEST_CASE(its_vocabulary_takes_any_bytes, Fixture) {
  write("Q8_0");
  const auto tokenizer = Tokenizer::from_gguf(*GgufFile::open(path));
  BOOST_REQUIRE_MESSAGE(tokenizer, (tokenizer ? "" : tokenizer.error().message));
  BOOST_TEST((*tokenizer)->size() == 384U);
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  BOOST_TEST((*(*tokenizer)->decode((*tokenizer)->encode(all)) == all));
}

BOOST_FIXTURE_TEST_CASE(rows_that_are_no_whole_blocks_are_named, Fixture) {
  ModelShape odd = *find_model_shape("tiny");
  odd.hidden = 96;
  const auto made = write_random_model(odd, *kernels::find_block_type(std::string_view("TQ2_0")), 1, path);
  BOOST_REQUIRE(made);
  BOOST_TEST(made->kept.size() == 2U);
  BOOST_TEST(made->kept[0] == "blk.0.ffn_down.weight: rows of 96 are no whole blocks of 256, Q8_0 instead");
  BOOST_TEST(GgufFile::open(path)->find_tensor("blk.0.ffn_down.weight")->type_name() == "Q8_0");
  const auto none = write_random_model(odd, *kernels::find_block_type(std::string_view("Q8_1")), 1, path);
  BOOST_TEST(none.error().message.find("Q8_1 cannot be made") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(shapes_hold_together) {
  for (const char* name : {"tiny", "smollm2-135m", "llama-1b", "qwen3-0.6b", "gemma3-270m"}) {
    const ModelShape* shape = find_model_shape(name);
    BOOST_REQUIRE(shape != nullptr);
    BOOST_TEST(shape->heads % shape->kv_heads == 0U);
    BOOST_TEST(model_shape_names().find(name) != std::string::npos);
  }
  BOOST_TEST((find_model_shape("gpt-7") == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
