#define BOOST_TEST_MODULE gguf_fuzz
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "model/chat_template.h"
#include "model/gguf.h"
#include "model/tokenizer.h"
#include "tests/model/gguf_writer.h"
#include "tests/model/tiny_vocabulary.h"

namespace {

// Bytes held by operator new, now and at most. Single-threaded tests; atomics keep the sanitizers content.
std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

}  // namespace

namespace {

void* counted_allocation(std::size_t size) noexcept {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) return nullptr;
  const std::size_t now = live_bytes += ::malloc_usable_size(memory);
  if (now > peak_bytes) peak_bytes = now;
  return memory;
}

void counted_release(void* memory) noexcept {
  if (memory == nullptr) return;
  live_bytes -= ::malloc_usable_size(memory);
  std::free(memory);
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return or_throw(counted_allocation(size));
}
void* operator new[](std::size_t size) {
  return or_throw(counted_allocation(size));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted_allocation(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return counted_allocation(size);
}
void operator delete(void* memory) noexcept {
  counted_release(memory);
}
void operator delete[](void* memory) noexcept {
  counted_release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  counted_release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  counted_release(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  counted_release(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  counted_release(memory);
}

using namespace spillway;
using namespace spillway::model;
using namespace spillway::model::test;

namespace {

constexpr std::size_t file_bytes_max = 64U << 10;
constexpr std::size_t slack_bytes = 64U << 20;

/// "FAULT: FIELD" of a refusal, the field without its numbers and names: one branch of the decoder.
std::string branch_of(const GgufError& error) {
  std::string field;
  bool name = false;
  for (std::size_t i = 0; i < error.field.size(); ++i) {
    const char c = error.field[i];
    if (name) {
      if (c == '\\') ++i;
      if (c == '"') name = false;
    } else if (c == '"') {
      name = true;
      if (error.field[i - 1] == ' ') field.pop_back();
    } else if (c != '[' && c != ']' && (c < '0' || c > '9')) {
      field += c;
    }
  }
  while (field.ends_with(' ') || field.ends_with('.')) field.pop_back();
  for (std::size_t at; (at = field.find("...")) != field.npos;) field.erase(at, 3);
  for (std::size_t at; (at = field.find("  ")) != field.npos;) field.erase(at, 1);
  return std::string(to_string(error.fault)) + ": " + field;
}

struct Counts {
  unsigned accepted = 0;
  unsigned refused = 0;
  unsigned tokenizers = 0;
  std::size_t peak = 0;
  std::map<std::string, unsigned> branches;
};

/// Uses all of an accepted file: every value by every getter, every byte of every tensor, the tokenizer if there is one.
void use(const GgufFile& file, Counts& counts) {
  unsigned sum = 0;
  for (const auto& [key, value] : file.metadata()) {
    sum += file.get_u64(key).has_value() + file.get_f32(key).has_value() + file.get_bool(key).has_value();
    if (const auto text = file.get_string(key)) sum += static_cast<unsigned>(std::hash<std::string_view>{}(*text));
    if (const auto list = file.get_strings(key)) {
      for (const std::string_view text : *list) sum += static_cast<unsigned>(std::hash<std::string_view>{}(text));
    }
    sum += file.get_f32s(key).has_value() + file.get_ints(key).has_value() + file.get_token_id(key, 100).has_value();
  }
  for (const GgufTensor& tensor : file.tensors()) {
    if (const auto bytes = file.tensor_bytes(tensor)) {
      for (const std::byte byte : *bytes) sum += std::to_integer<unsigned>(byte);
    }
  }
  if (const auto tokenizer = Tokenizer::from_gguf(file)) {
    ++counts.tokenizers;
    const auto ids = (*tokenizer)->encode("the world \xe4\xb8\x96 12<|im_end|>", {.special = true, .bos = true});
    BOOST_REQUIRE((*tokenizer)->decode(ids));
    const auto chat = ChatTemplate::from_gguf(file);
    const auto pieces = chat ? chat->render({{"user", "hi"}}) : tl::make_unexpected(chat.error());
    if (pieces) sum += (*tokenizer)->encode_pieces(*pieces).has_value();
  }
  BOOST_REQUIRE(sum != 0xdeadbeefU);  // so that no read is optimised away
}

void try_file(const core::ByteVector& bytes, Counts& counts) {
  BOOST_REQUIRE(bytes.size() <= file_bytes_max);
  const core::ByteVector exact(bytes.begin(), bytes.end());  // capacity = size: reading behind the end is seen by the address sanitizer
  const std::size_t before = live_bytes;
  peak_bytes = before;
  {
    const auto file = GgufFile::parse(exact);
    if (file) {
      ++counts.accepted;
      use(*file, counts);
    } else {
      ++counts.refused;
      ++counts.branches[branch_of(file.error())];
      BOOST_REQUIRE(!file.error().field.empty());
      BOOST_REQUIRE(file.error().message.starts_with(file.error().field));
      BOOST_REQUIRE(file.error().message.find(": want ") != std::string::npos);
    }
  }
  counts.peak = std::max(counts.peak, peak_bytes - before);
  BOOST_REQUIRE(peak_bytes - before <= bytes.size() + slack_bytes);
}

/// A file with a value of every type and tensors of every kind of shape.
GgufWriter rich_file() {
  GgufWriter writer;
  const std::vector<std::string> strings = {"one", "", "three"};
  const std::vector<float> floats(12, 0.5F);
  const std::vector<std::int32_t> ints = {1, -1, 5};
  writer.set_alignment(64);
  for (std::uint32_t type = 0; type < gguf_types; ++type) {
    if (type == 8 || type == 9) continue;
    const std::vector<std::byte> zero(8);
    constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    writer.add_raw("type." + std::to_string(type), type, std::span(zero).first(sizes[type]));
  }
  writer.add_string("text", "value").add_strings("strings", strings).add_f32s("floats", floats).add_i32s("ints", ints);
  core::ByteVector bools = {std::byte{7}, std::byte{}, std::byte{}, std::byte{}, std::byte{2}};  // array of two bools
  bools.resize(12);
  bools.push_back(std::byte{1}), bools.push_back(std::byte{0});
  writer.add_raw("bools", 9, bools);
  core::ByteVector nested;
  const auto put = [&nested](std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) nested.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  put(9, 4), put(2, 8), put(9, 4), put(1, 8), put(4, 4), put(1, 8), put(77, 4), put(8, 4), put(1, 8), put(2, 8), put('a' + 256 * 'b', 2);
  writer.add_raw("nested", 9, nested);
  std::vector<std::byte> blocks(34 * 4);
  writer.add_tensor_f32("f32", {4, 3}, floats).add_tensor("q8", {64, 2}, tensor_q8_0, blocks);
  writer.add_tensor("four", {2, 1, 2, 1}, tensor_f16, std::span(blocks).first(8)).add_tensor("odd", {3}, 99, std::span(blocks).first(5));
  writer.add_tensor("two", {64, 2}, 42, std::span(blocks).first(36));
  return writer;
}

std::vector<GgufWriter> base_files() {
  std::vector<GgufWriter> files = {rich_file(), GgufWriter(), GgufWriter(), GgufWriter()};
  add_tiny_bpe(files[1], "smollm", tiny_chat_template());
  add_tiny_spm(files[2]);
  files[3].add_u32("general.alignment", 32).add_tensor_f32("a", {2}, std::vector<float>(2)).add_tensor_f32("b", {2}, std::vector<float>(2));
  return files;
}

std::uint64_t load(const core::ByteVector& bytes, const GgufMark& mark) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + mark.at, std::min<std::size_t>(mark.bytes, 8));
  return value;
}

void store(core::ByteVector& bytes, const GgufMark& mark, std::uint64_t value) {
  std::memcpy(bytes.data() + mark.at, &value, std::min<std::size_t>(mark.bytes, 8));
}

/// What each count, size, offset, type and length is replaced by in turn.
std::vector<std::uint64_t> wrong_values(std::uint64_t right, std::size_t file_bytes) {
  std::vector<std::uint64_t> values = {0,  1,  2,  3,  4,  5,  6,   7,   8,   9,    10,   12,     13,     14,    31,
                                       33, 42, 48, 64, 96, 99, 128, 255, 256, 1024, 1025, 65'535, 65'536, 65'537};
  for (const unsigned bit : {20U, 22U, 31U, 32U, 59U, 60U, 61U, 62U, 63U}) {
    for (const std::uint64_t around : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1}})
      values.push_back((std::uint64_t{1} << bit) + around);
  }
  for (const std::uint64_t other :
       {right - 1, right + 1, right * 2, right << 16, right << 32, ~right, std::uint64_t{file_bytes}, std::uint64_t{file_bytes} + 1,
        std::uint64_t{file_bytes} / 64 * 64, ~std::uint64_t{0}, ~std::uint64_t{0} - 63}) {
    values.push_back(other);
  }
  return values;
}

/// Every branch of the decoder that bytes can reach.
const std::set<std::string> all_branches = {"too_small: file size",
                                            "magic: magic",
                                            "byte_order: version",
                                            "version: version",
                                            "tensor_count: tensor count",
                                            "metadata_count: metadata count",
                                            "truncated: metadata key length",
                                            "key_length: metadata key length",
                                            "key_text: metadata key",
                                            "truncated: metadata type",
                                            "value_type: metadata type",
                                            "truncated: metadata value",
                                            "bool_value: metadata value",
                                            "truncated: metadata value length",
                                            "string_length: metadata value length",
                                            "truncated: metadata element type",
                                            "array_type: metadata element type",
                                            "truncated: metadata array length",
                                            "array_length: metadata array length",
                                            "array_depth: metadata array nesting",
                                            "truncated: metadata element length",
                                            "string_length: metadata element length",
                                            "key_repeated: metadata key",
                                            "alignment_type: general.alignment type",
                                            "alignment_value: general.alignment",
                                            "truncated: tensor name length",
                                            "tensor_name_length: tensor name length",
                                            "tensor_name_text: tensor name",
                                            "truncated: tensor dimension count",
                                            "dims_count: tensor dimension count",
                                            "truncated: tensor dimension",
                                            "dim_zero: tensor dimension",
                                            "dims_product: tensor dimension",
                                            "truncated: tensor type",
                                            "truncated: tensor offset",
                                            "row_length: tensor dimension",
                                            "tensor_size: tensor size",
                                            "offset_alignment: tensor offset",
                                            "offset_range: tensor offset",
                                            "tensor_repeated: tensor name",
                                            "tensor_range: tensor data",
                                            "tensor_overlap: tensor offset",
                                            "group_size: tensor size"};

void expect_all(const Counts& counts) {
  for (const auto& [branch, hits] : counts.branches) BOOST_TEST(all_branches.contains(branch), branch);
  for (const std::string& branch : all_branches) BOOST_TEST(counts.branches.contains(branch), branch);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_field_in_turn) {
  Counts counts;
  for (const GgufWriter& writer : base_files()) {
    std::vector<GgufMark> marks;
    const core::ByteVector right = writer.finish(marks);
    BOOST_REQUIRE(GgufFile::parse(right));
    unsigned elements = 0;
    for (const GgufMark& mark : marks) {
      if (mark.field.ends_with("element length") && ++elements % 37 != 1) continue;  // one of many equal ones
      for (const std::uint64_t value : wrong_values(load(right, mark), right.size())) {
        core::ByteVector wrong = right;
        store(wrong, mark, value);
        try_file(wrong, counts);
      }
    }
  }
  // Names and keys that repeat or hold a zero byte, nesting too deep: whole files, since a number alone does not do it.
  const std::vector<float> two(2);
  try_file(GgufWriter().add_u32("a", 1).add_u32("a", 2).finish(), counts);
  try_file(GgufWriter().add_u32(std::string_view("a\0b", 3), 1).finish(), counts);
  try_file(GgufWriter().add_tensor_f32("a", {2}, two).add_tensor_f32("a", {2}, two).finish(), counts);
  try_file(GgufWriter().add_tensor_f32(std::string_view("a\0b", 3), {2}, two).finish(), counts);
  try_file(GgufWriter().add_string("general.alignment", "32").finish(), counts);
  core::ByteVector deep;
  for (int depth = 0; depth < 4000; ++depth) {
    for (const int byte : {9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}) deep.push_back(static_cast<std::byte>(byte));
  }
  try_file(GgufWriter().add_raw("deep", 9, deep).finish(), counts);
  // Every file cut at every byte.
  for (const GgufWriter& writer : {base_files()[0], base_files()[3]}) {
    const core::ByteVector right = writer.finish();
    for (std::size_t size = 0; size < right.size(); ++size)
      try_file({right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size)}, counts);
  }
  expect_all(counts);
  BOOST_TEST(counts.accepted + counts.refused >= 10'000U);
  BOOST_TEST(counts.accepted > 500U);
  BOOST_TEST(counts.refused > 5'000U);
  BOOST_TEST(counts.tokenizers > 200U);
  BOOST_TEST_MESSAGE("structured: " << counts.accepted << " accepted, " << counts.refused << " refused, " << counts.branches.size()
                                    << " branches of " << all_branches.size() << ", " << counts.tokenizers << " tokenizers, at most "
                                    << counts.peak << " bytes held");
}

BOOST_AUTO_TEST_CASE(random_bytes_and_splices) {
  Counts counts;
  std::mt19937_64 random(20);
  std::vector<core::ByteVector> files;
  for (const GgufWriter& writer : base_files()) files.push_back(writer.finish());
  for (int round = 0; round < 10'000; ++round) {
    core::ByteVector bytes = files[random() % files.size()];
    // Most hits in the first kilobytes: that is where the counts are.
    const std::size_t reach = random() % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 300);
    for (std::uint64_t hits = 1 + random() % 6; hits > 0; --hits) {
      const std::size_t at = random() % reach;
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<std::byte>(random()); break;
        case 1: bytes[at] ^= static_cast<std::byte>(1U << random() % 8); break;
        case 2: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)), bytes.push_back(std::byte{}); break;
        default: {
          const core::ByteVector& other = files[random() % files.size()];
          const std::size_t length = std::min({static_cast<std::size_t>(random() % 64), bytes.size() - at, other.size()});
          std::memcpy(bytes.data() + at, other.data() + random() % (other.size() - length + 1), length);
        }
      }
    }
    try_file(bytes, counts);
  }
  BOOST_TEST(counts.accepted + counts.refused == 10'000U);
  BOOST_TEST(counts.accepted > 500U);
  BOOST_TEST(counts.refused > 2'000U);
  for (const auto& [branch, hits] : counts.branches) BOOST_TEST(all_branches.contains(branch), branch);
  BOOST_TEST_MESSAGE("random: " << counts.accepted << " accepted, " << counts.refused << " refused, " << counts.branches.size()
                                << " branches, at most " << counts.peak << " bytes held");
}

BOOST_AUTO_TEST_CASE(faults_of_the_system) {
  const std::string path = "/tmp/spillway_gguf_fuzz_" + std::to_string(::getpid());
  const auto fault = [](const std::string& of) { return GgufFile::map(of).error().fault; };
  BOOST_TEST((fault("/nonexistent/model.gguf") == GgufFault::open));
  BOOST_TEST((fault("/tmp") == GgufFault::not_a_file));
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  BOOST_REQUIRE(fd >= 0);
  BOOST_TEST((fault(path) == GgufFault::too_small));  // an empty file is not mapped at all
  // A sparse file that does not fit into the address space left to a child.
  constexpr rlim_t file_bytes = rlim_t{8} << 30;
  BOOST_REQUIRE(::ftruncate(fd, static_cast<off_t>(file_bytes)) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    unsigned long pages = 0;
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    if (statm == nullptr || std::fscanf(statm, "%lu", &pages) != 1) ::_exit(9);
    const rlim_t limit = rlim_t{pages} * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + file_bytes / 2;
    const rlimit address_space{limit, limit};
    if (::setrlimit(RLIMIT_AS, &address_space) != 0) ::_exit(8);
    ::_exit(fault(path) == GgufFault::map ? 0 : 1);
  }
  int status = -1;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  ::close(fd);
  ::unlink(path.c_str());
  // The enumeration has no fault that no branch above stands for.
  std::set<std::string> named = {"open", "not_a_file", "map"};
  for (const std::string& branch : all_branches) named.insert(branch.substr(0, branch.find(':')));
  for (unsigned i = 0; i < static_cast<unsigned>(GgufFault::count); ++i)
    BOOST_TEST(named.contains(std::string(to_string(static_cast<GgufFault>(i)))));
  BOOST_TEST(named.size() == static_cast<std::size_t>(GgufFault::count));
}
