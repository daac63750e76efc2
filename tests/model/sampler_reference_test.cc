// Each rule and each sampler does what tests/model/sampler_reference.py, a plain reading of the definitions, says of 1,000 rows.

#include <bit>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "model/logit_rules.h"
#include "model/sampler.h"
#include "tests/model/tiny_vocabulary.h"

using namespace spillway;

namespace {

constexpr std::size_t rows = 1000;
constexpr core::TokenId newline = 13;

class Random {
 public:
  explicit Random(std::uint32_t seed) : state_{seed} {}
  std::uint32_t below(std::uint32_t n) {
    state_ = state_ * 1664525U + 1013904223U;
    return (state_ >> 8) % n;
  }
  float signed_below(std::uint32_t n) { return static_cast<float>(static_cast<std::int32_t>(below(n)) - static_cast<std::int32_t>(n / 2)); }

 private:
  std::uint32_t state_;
};

struct Row {
  std::vector<float> logits;
  std::vector<core::TokenId> prompt;
  std::vector<core::TokenId> answer;
  core::Sampling all;
};

Row make_row(std::uint32_t number) {
  Random random(number * 2654435761U);
  Row row;
  const std::uint32_t size = 120 + random.below(160);
  const bool coarse = random.below(4) == 0;
  for (std::uint32_t i = 0; i < size; ++i)
    row.logits.push_back(coarse ? random.signed_below(33) * 0.5F : random.signed_below(1U << 24) * 0x1p-20F);
  const auto tokens = [&](std::uint32_t count) {
    std::vector<core::TokenId> made;
    for (std::uint32_t i = 0; i < count; ++i)
      made.push_back(random.below(8) == 0 ? newline : static_cast<core::TokenId>(100 + random.below(10)));
    return made;
  };
  row.prompt = tokens(1 + random.below(20));
  row.answer = tokens(random.below(40));
  row.all.repetition_penalty = static_cast<float>(32 + random.below(96)) / 64;
  row.all.presence_penalty = random.signed_below(257) / 64;
  row.all.frequency_penalty = random.signed_below(257) / 64;
  for (std::uint32_t k = 0; k < 3; ++k) {
    const auto token = static_cast<core::TokenId>(random.below(size / 3) * 3 + k);
    row.all.logit_bias.push_back({token, random.signed_below(401) / 8});
  }
  row.all.tokens_min = random.below(60);
  row.all.dry.multiplier = static_cast<float>(1 + random.below(16)) / 8;
  row.all.dry.base = 1 + static_cast<float>(random.below(64)) / 32;
  row.all.dry.allowed_length = random.below(4);
  const std::uint32_t ranged = random.below(2);
  row.all.dry.range = ranged * random.below(40);
  row.all.dry.breakers = {"\n"};
  row.all.typical_p = static_cast<float>(1 + random.below(63)) / 64;
  row.all.top_k = 1 + random.below(20);
  row.all.top_p = static_cast<float>(1 + random.below(63)) / 64;
  row.all.min_p = static_cast<float>(random.below(32)) / 64;
  row.all.temperature = static_cast<float>(8 + random.below(56)) / 16;
  row.all.seed = std::uint64_t{number} * 7919;
  return row;
}

/// One option of `all` alone, at temperature 1.
using Take = std::function<void(core::Sampling&, const core::Sampling&)>;
const std::vector<Take>& takes() {
  static const std::vector<Take> list = {
      [](auto& to, auto& all) { to.repetition_penalty = all.repetition_penalty; },
      [](auto& to, auto& all) { to.presence_penalty = all.presence_penalty; },
      [](auto& to, auto& all) { to.frequency_penalty = all.frequency_penalty; },
      [](auto& to, auto& all) { to.logit_bias = all.logit_bias; },
      [](auto& to, auto& all) { to.tokens_min = all.tokens_min; },
      [](auto& to, auto& all) { to.dry = all.dry; },
      [](auto& to, auto& all) { to.typical_p = all.typical_p; },
      [](auto& to, auto& all) { to.top_k = all.top_k; },
      [](auto& to, auto& all) { to.top_p = all.top_p; },
      [](auto& to, auto& all) { to.min_p = all.min_p; },
      [](auto& to, auto& all) { to.temperature = all.temperature; },
      [](auto& to, auto& all) { to = all; },
  };
  return list;
}

std::uint64_t fnv1a(std::uint64_t hash, std::span<const float> values) {
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xffU)) * 0x100000001B3ULL;
  }
  return hash;
}

std::shared_ptr<const model::Tokenizer> tiny_tokenizer() {
  model::test::GgufWriter writer;
  model::test::add_tiny_bpe(writer, "smollm", "");
  const std::string path = "/tmp/spillway_sampler_reference_" + std::to_string(::getpid()) + ".gguf";
  BOOST_REQUIRE(writer.write(path));
  const auto file = model::GgufFile::open(path);
  BOOST_REQUIRE(file.has_value());
  auto tokenizer = model::Tokenizer::from_gguf(*file);
  std::remove(path.c_str());
  BOOST_REQUIRE(tokenizer.has_value());
  return *tokenizer;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampler_reference)

BOOST_AUTO_TEST_CASE(rules_and_samplers_do_what_the_definitions_say) {
  const auto tokenizer = tiny_tokenizer();
  BOOST_REQUIRE((std::vector<core::TokenId>(tokenizer->ends().begin(), tokenizer->ends().end()) == std::vector<core::TokenId>{0, 2}));
  BOOST_REQUIRE(tokenizer->piece(newline) == "\n");
  std::ifstream file(std::string(SPILLWAY_SOURCE_DIR) + "/tests/model/sampler_reference.txt");
  model::LogitRules rules;
  model::Sampler sampler;
  std::size_t compared = 0;
  std::size_t near = 0;
  std::string line;
  for (std::uint32_t number = 0; number < rows; ++number) {
    BOOST_REQUIRE(std::getline(file, line));
    std::istringstream words(line);
    std::uint64_t want_hash = 0;
    words >> std::hex >> want_hash;
    const Row row = make_row(number);
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (std::size_t k = 0; k < takes().size(); ++k) {
      core::Sampling sampling{.temperature = 1.0F, .seed = row.all.seed};
      takes()[k](sampling, row.all);
      const auto ruled = rules.apply(row.logits, sampling, {row.prompt, row.answer}, tokenizer.get());
      hash = fnv1a(hash, ruled);
      const auto token = sampler.choose(ruled, sampling, 3, static_cast<std::uint32_t>(row.answer.size()));
      std::string want;
      BOOST_REQUIRE(words >> want);
      if (want == "-") {
        ++near;
        continue;
      }
      BOOST_TEST(std::to_string(token) == want, "row " << number << ", option " << k << ": drew " << token << ", want " << want);
      ++compared;
    }
    BOOST_TEST(hash == want_hash, "row " << number << ": other logits");
  }
  BOOST_TEST(!std::getline(file, line));
  BOOST_TEST_MESSAGE(rows << " rows, " << compared << " draws compared, " << near << " too near a border to tell");
  BOOST_TEST(near < compared / 50);
}

BOOST_AUTO_TEST_SUITE_END()
