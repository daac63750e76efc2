#include "sim/skew_fit.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

const std::string meta_head = R"(model: m
skew_fit:
  enabled: true
)";
const std::string axes = R"(  bucket_axes:
    pc: raw pc value (profiled grid point)
    n_bins: [0, 2, 4, 1000000]
    n_labels: [n<=2, n<=4, n>4]
    skew_rate_bins: [-0.01, 0.25, 1.01]
    skew_rate_labels: [sr<=25%, sr>25%]
    kv_big_bins: [0, 1024, 1000000000]
    kv_big_labels: [kvB<=1k, kvB>1k]
    kp_bins: [-1, 0, 512, 1000000000]
    kp_labels: [kp=0, kp<=512, kp>512]
)";
const std::string per_tp = R"(  per_tp:
    1:
      alpha_default: 0.25
      bucket_table: tp1/skew_fit.csv
    2:
      alpha_default: 0.75
)";
const std::string table = R"(layer,pc,n_label,skew_rate_label,kv_big_label,kp_label,alpha,n_samples
attention,0,n<=4,sr<=25%,kvB<=1k,kp=0,0.5,9
attention,0,n<=4,sr>25%,kvB<=1k,kp=0,-0.125,9
attention,0,n>4,sr<=25%,kvB>1k,kp=0,1.5,9
attention,64,n<=2,sr>25%,kvB<=1k,kp<=512,0.0625,9
indexer,0,n<=2,sr<=25%,kvB<=1k,kp=0,9,9
)";

core::Result<SkewFit> read(const TestFolder& folder, const std::string& text) {
  const auto meta = parse_yaml("meta.yaml", text);
  BOOST_REQUIRE_MESSAGE(meta.has_value(), (meta ? "" : meta.error().message));
  return SkewFit::read(folder.path(), "meta.yaml", *meta);
}

AttentionShape batch(std::int64_t chunk, std::int64_t history, std::int64_t decodes, std::int64_t mean, std::int64_t min,
                     std::int64_t max) {
  return {.chunk = chunk,
          .decodes = decodes,
          .history = to_fixed(history),
          .context_mean = to_fixed(mean),
          .context_min = min,
          .context_max = max};
}

double alpha(const SkewFit& fit, const AttentionShape& shape, Picos mean = 100, Picos max = 200) {
  return static_cast<double>(fit.alpha(shape, mean, max)) / static_cast<double>(fixed_one);
}

struct BucketCase {
  const char* name;
  AttentionShape shape;
  double want;
  friend std::ostream& operator<<(std::ostream& out, const BucketCase& c) { return out << c.name; }
};

const BucketCase bucket_cases[] = {
    {"few long contexts", batch(0, 0, 4, 110, 10, 510), 0.5},
    {"many long contexts", batch(0, 0, 4, 410, 10, 510), -0.125},
    {"an edge belongs to the bucket below it", batch(0, 0, 3, 135, 10, 510), 0.5},
    {"one behind it to the next", batch(0, 0, 3, 136, 10, 510), -0.125},
    {"the last bucket has no end", batch(0, 0, 2000000, 100, 16, 1025), 1.5},
    {"an alpha above one", batch(0, 0, 5, 100, 16, 1025), 1.5},
    {"a chunk counts as it is", batch(64, 512, 2, 400, 16, 500), 0.0625},
    {"a chunk that was not profiled has the default", batch(63, 512, 2, 400, 16, 500), 0.25},
    {"so has a bucket that was not", batch(0, 0, 4, 110, 10, 5000), 0.25},
    {"buckets of another kernel are not attention's", batch(0, 0, 2, 20, 10, 510), 0.25},
    {"equal contexts are not skewed at all", batch(0, 0, 4, 100, 100, 100), 0.5},
};

struct WrongCase {
  const char* name;
  std::string meta;
  std::string table;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"enabled is true or false", "model: m\nskew_fit:\n  enabled: perhaps\n", table, "meta.yaml:3:", "want true or false"},
    {"a fit for one device", meta_head + axes + "  per_tp:\n    2:\n      alpha_default: 1\n", table, "meta.yaml:3:", "no per_tp.1"},
    {"a default", meta_head + axes + "  per_tp:\n    1:\n      method: x\n", table, "meta.yaml:", "no alpha_default"},
    {"a default that is a number", meta_head + axes + "  per_tp:\n    1:\n      alpha_default: high\n", table,
     "meta.yaml:16:", "want a number"},
    {"labels for all bins", meta_head + "  bucket_axes:\n    n_bins: [0, 2]\n" + per_tp, table, "meta.yaml:", "n_labels"},
    {"one edge more than labels", meta_head + "  bucket_axes:\n    n_bins: [0, 2]\n    n_labels: [a, b]\n" + per_tp, table,
     "meta.yaml:5:", "one edge more"},
    {"ascending edges", meta_head + "  bucket_axes:\n    n_bins: [0, 2, 1]\n    n_labels: [a, b]\n" + per_tp, table,
     "meta.yaml:5:", "ascending"},
    {"known axes", meta_head + "  bucket_axes:\n    axes: [n, colour]\n    n_bins: [0, 2]\n    n_labels: [a]\n" + per_tp, table,
     "meta.yaml:", "colour"},
    {"a number in the table", meta_head + axes + per_tp, "pc,n_label,skew_rate_label,kv_big_label,kp_label,alpha\n0,n<=2,a,b,c,x\n",
     "skew_fit.csv:2:", "alpha = x: want a number"},
    {"all labels in the table", meta_head + axes + per_tp, "pc,n_label,skew_rate_label,kp_label,alpha\n0,n<=2,a,c,1\n",
     "skew_fit.csv:2:", "kv_big_label"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(skew_fit)

BOOST_DATA_TEST_CASE(a_batch_has_the_alpha_of_its_bucket, bdata::make(bucket_cases), c) {
  const TestFolder folder;
  folder.write("tp1/skew_fit.csv", table);
  const auto fit = read(folder, meta_head + axes + per_tp);
  BOOST_REQUIRE_MESSAGE(fit.has_value(), (fit ? "" : fit.error().message));
  BOOST_TEST(fit->buckets() == 4U);
  BOOST_TEST(alpha(*fit, c.shape) == c.want);
}

BOOST_AUTO_TEST_CASE(a_table_may_lie_beside_the_profile) {
  const TestFolder folder;
  folder.write("skew_fit.csv", table);
  const auto fit = read(folder, meta_head + axes + per_tp);
  BOOST_REQUIRE(fit.has_value());
  BOOST_TEST(alpha(*fit, batch(0, 0, 4, 110, 10, 510)) == 0.5);
}

BOOST_AUTO_TEST_CASE(without_a_table_all_have_the_default_of_one_device) {
  const TestFolder folder;
  for (const auto& text : {meta_head + axes + per_tp, meta_head + per_tp}) {
    const auto fit = read(folder, text);
    BOOST_REQUIRE(fit.has_value());
    BOOST_TEST(fit->enabled());
    BOOST_TEST(alpha(*fit, batch(0, 0, 4, 110, 10, 510)) == 0.25);
  }
}

BOOST_AUTO_TEST_CASE(disabled_or_absent_is_no_skew_whatever_else_stands_there) {
  const TestFolder folder;
  folder.write("tp1/skew_fit.csv", table);
  for (const auto& text : {std::string("model: m\nskew_fit:\n  enabled: false\n") + axes + per_tp, std::string("model: m\n")}) {
    const auto fit = read(folder, text);
    BOOST_REQUIRE(fit.has_value());
    BOOST_TEST(!fit->enabled());
    BOOST_TEST(fit->alpha(batch(0, 0, 4, 110, 10, 510), 100, 200) == 0);
  }
}

BOOST_AUTO_TEST_CASE(other_axes_are_those_that_the_profile_lists) {
  const TestFolder folder;
  const std::string meta = meta_head + R"(  bucket_axes:
    axes: [n, pc, lev]
    n_bins: [0, 3, 1000000000]
    n_labels: [n=2, n>2]
    pc_bins: [-1, 1, 1000000000]
    pc_labels: [pc0, pcL]
    lev_bins: [0.0, 0.25, 1000000000.0]
    lev_labels: [lev0, lev1]
)" + per_tp;
  folder.write("tp1/skew_fit.csv",
               "layer,pc,alpha,raw_key\nattention,,0.5,attention|n=2|pc0|lev1\nattention,,0.75,n>2|pcL|lev0\n"
               "indexer,,3,indexer|n=2|pc0|lev0\n");
  const auto fit = read(folder, meta);
  BOOST_REQUIRE_MESSAGE(fit.has_value(), (fit ? "" : fit.error().message));
  BOOST_TEST(alpha(*fit, batch(0, 0, 2, 50, 10, 90), 100, 126) == 0.5);
  BOOST_TEST(alpha(*fit, batch(0, 0, 2, 50, 10, 90), 100, 125) == 0.25);
  BOOST_TEST(alpha(*fit, batch(70, 0, 9, 50, 10, 90), 100, 125) == 0.75);
}

BOOST_AUTO_TEST_CASE(buckets_may_stand_in_the_profile_itself) {
  const TestFolder folder;
  const auto fit = read(folder, meta_head + axes +
                                    "  per_tp:\n    1:\n      alpha_default: 0.25\n      alpha_by_bucket:\n"
                                    "        attention|pc=0|n<=4|sr<=25%|kvB<=1k|kp=0: 0.5\n"
                                    "        pc=0|n<=2|sr<=25%|kvB<=1k|kp=0: 0.75\n");
  BOOST_REQUIRE_MESSAGE(fit.has_value(), (fit ? "" : fit.error().message));
  BOOST_TEST(alpha(*fit, batch(0, 0, 4, 110, 10, 510)) == 0.5);
  BOOST_TEST(alpha(*fit, batch(0, 0, 2, 110, 10, 510)) == 0.75);
}

BOOST_DATA_TEST_CASE(an_incomplete_fit_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const TestFolder folder;
  folder.write("tp1/skew_fit.csv", c.table);
  const auto fit = read(folder, c.meta);
  BOOST_REQUIRE(!fit.has_value());
  BOOST_TEST(says(fit.error(), c.place, c.says));
}

BOOST_AUTO_TEST_SUITE_END()
