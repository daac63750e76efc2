#include "model/gguf_output.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

using namespace spillway;
using namespace spillway::model;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(gguf_output)

namespace {

struct Fixture {
  ~Fixture() {
    std::error_code error;
    fs::remove(path, error);
    fs::remove(path + ".part", error);
  }
  std::string path = "/tmp/spillway_output_" + std::to_string(::getpid()) + ".gguf";
};

GgufOutputTensor floats(const std::string& name, std::vector<std::uint64_t> dims, float value) {
  GgufOutputTensor tensor{name, std::move(dims), kernels::find_block_type(0U), {}};
  tensor.make = [size = tensor.bytes(), value]() -> core::Result<core::ByteVector> {
    core::ByteVector bytes(size);
    for (std::size_t at = 0; at < size; at += sizeof value) std::memcpy(bytes.data() + at, &value, sizeof value);
    return bytes;
  };
  return tensor;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_is_written_is_read, Fixture) {
  const std::vector<std::string> words = {"a", "", "b c"};
  const std::vector<std::int32_t> ints = {1, -2};
  const std::vector<float> scores = {0.5F};
  GgufOutput out(64);
  out.add_string("text", "value").add_u32("number", 7).add_f32("real", 1.5F).add_bool("yes", true);
  out.add_strings("words", words).add_i32s("ints", ints).add_f32s("scores", scores);
  out.add_tensor(floats("odd", {3}, 1.0F)).add_tensor(floats("wide", {5, 7}, 2.0F));
  BOOST_TEST(out.has("text"));
  BOOST_TEST(!out.has("txet"));
  BOOST_REQUIRE(out.write(path));
  const auto file = GgufFile::open(path);
  BOOST_REQUIRE_MESSAGE(file, (file ? "" : file.error().message));
  BOOST_TEST(file->alignment() == 64U);
  BOOST_TEST(*file->get_string("text") == "value");
  BOOST_TEST(*file->get_u64("number") == 7U);
  BOOST_TEST(*file->get_f32("real") == 1.5F);
  BOOST_TEST(*file->get_bool("yes"));
  BOOST_TEST(file->get_strings("words")->at(2) == "b c");
  BOOST_TEST(file->get_ints("ints")->at(1) == -2);
  BOOST_TEST(file->get_f32s("scores")->at(0) == 0.5F);
  const auto bytes = file->tensor_bytes(*file->find_tensor("wide"));
  BOOST_REQUIRE(bytes);
  float last = 0;
  std::memcpy(&last, bytes->data() + 34 * sizeof last, sizeof last);
  BOOST_TEST(last == 2.0F);
  BOOST_TEST(!fs::exists(path + ".part"));
}

BOOST_FIXTURE_TEST_CASE(a_failure_leaves_what_was_there, Fixture) {
  BOOST_REQUIRE(GgufOutput().add_u32("old", 1).write(path));
  GgufOutput out;
  out.add_tensor(floats("good", {4}, 1.0F));
  GgufOutputTensor bad = floats("bad", {4}, 1.0F);
  bad.make = []() -> core::Result<core::ByteVector> { return core::fail(core::Errc::bad_file, "no such values"); };
  out.add_tensor(bad);
  const auto written = out.write(path);
  BOOST_REQUIRE(!written);
  BOOST_TEST(written.error().message == "no such values");
  BOOST_TEST(GgufFile::open(path)->has("old"));
  BOOST_TEST(!fs::exists(path + ".part"));
  const auto nowhere = GgufOutput().write("/nonexistent/x.gguf");
  BOOST_REQUIRE(!nowhere);
  BOOST_TEST(nowhere.error().message.find("cannot write /nonexistent/x.gguf") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
