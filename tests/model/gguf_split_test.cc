#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/gguf.h"
#include "tests/model/gguf_writer.h"

using namespace spillway;
using namespace spillway::model;
using spillway::model::test::GgufWriter;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(gguf_split)

namespace {

/// A model of three tensors in three files: the first holds metadata alone.
struct Fixture {
  Fixture() {
    fs::create_directories(folder);
    for (unsigned part = 0; part < 3; ++part) write(part, part, 3, 3);
  }
  ~Fixture() {
    std::error_code error;
    fs::remove_all(folder, error);
  }

  std::string path(unsigned part) const { return (folder / ("m-0000" + std::to_string(part + 1) + "-of-00003.gguf")).string(); }

  void write(unsigned part, std::uint16_t number, std::uint16_t count, std::int32_t tensors, const char* name = nullptr) const {
    GgufWriter writer;
    if (part == 0) writer.add_string("general.architecture", "llama");
    writer.add_raw("split.no", 2, std::as_bytes(std::span{&number, 1})).add_raw("split.count", 2, std::as_bytes(std::span{&count, 1}));
    writer.add_i32("split.tensors.count", tensors);
    if (part == 1) writer.add_tensor_f32("a", {2}, std::vector<float>{1, 2}).add_tensor_f32("b", {3}, std::vector<float>{3, 4, 5});
    if (part == 2) writer.add_tensor_f32(name != nullptr ? name : "c", {1}, std::vector<float>{6});
    BOOST_REQUIRE(writer.write(path(part)));
  }
  void refused(unsigned part, std::string_view why) const {
    const auto file = GgufFile::open(path(part));
    BOOST_REQUIRE(!file);
    BOOST_TEST((file.error().code == core::Errc::bad_file));
    BOOST_TEST(file.error().message.find(why) != std::string::npos, file.error().message);
  }

  fs::path folder = "/tmp/spillway_split_" + std::to_string(::getpid());
};

float first_value(const GgufFile& file, std::string_view name) {
  const GgufTensor* tensor = file.find_tensor(name);
  BOOST_REQUIRE(tensor != nullptr);
  const auto bytes = file.tensor_bytes(*tensor);
  BOOST_REQUIRE(bytes);
  float value = 0;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_first_part_brings_the_others, Fixture) {
  auto opened = GgufFile::open(path(0));
  BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
  const GgufFile file = std::move(*opened);
  BOOST_TEST(file.tensors().size() == 3U);
  BOOST_TEST(first_value(file, "a") == 1.0F);
  BOOST_TEST(first_value(file, "b") == 3.0F);
  BOOST_TEST(first_value(file, "c") == 6.0F);
  BOOST_TEST(*file.get_string("general.architecture") == "llama");
  std::uint64_t bytes = 0;
  for (unsigned part = 0; part < 3; ++part) bytes += fs::file_size(path(part));
  BOOST_TEST(file.total_bytes() == bytes);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused, Fixture) {
  refused(1, "is not the first part of its model: want " + path(0));
  write(2, 1, 3, 3);
  refused(0, "split.no = 1: want 2, as the first part says");
  write(2, 2, 4, 3);
  refused(0, "split.count = 4: want 3");
  write(2, 2, 3, 3, "a");
  refused(0, "tensor \"a\" stands in another part too");
  write(2, 2, 3, 3);
  write(0, 0, 3, 4);
  refused(0, "the parts hold 3 tensors: want the number in split.tensors.count, 4");
  write(0, 0, 2000, 3);
  refused(0, "split.count = 2000: want at most 1024");
  write(0, 0, 4, 3);
  refused(0, "is one of 4 parts: want a name that ends with -00001-of-00004.gguf");
  write(0, 0, 3, 3);
  fs::resize_file(path(1), 30);
  refused(0, "m-00002-of-00003.gguf");
  fs::remove(path(1));
  refused(0, "cannot open");
}

BOOST_AUTO_TEST_CASE(parts_are_found_by_name) {
  BOOST_TEST(gguf_part_path("/x/m-00001-of-00012.gguf", 12, 12).value() == "/x/m-00012-of-00012.gguf");
  BOOST_TEST(gguf_part_path("/x/m-00007-of-00012.gguf", 1, 12).value() == "/x/m-00001-of-00012.gguf");
  for (const char* other : {"m.gguf", "m-00001-of-00011.gguf", "m-0000x-of-00012.gguf", "-00001-of-00012.gguf", "m-00001-of-00012.GGUF"})
    BOOST_TEST(!gguf_part_path(other, 1, 12), other);
}

BOOST_AUTO_TEST_SUITE_END()
