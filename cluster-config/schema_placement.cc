// Keys of [placement] and of the tables of its policies.
#include "cluster-config/schema_bind.h"

namespace spillway::config {
namespace {

template <class S, auto Member>
constexpr KeySpec count(std::string_view name, std::string_view unit, std::uint64_t min, std::uint64_t max, std::string_view sentence,
                        std::string_view example) {
  return bind<S, Member>(
      {.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .sentence = sentence, .example = example});
}

constexpr std::string_view policy_words[] = {"additive",    "round_robin", "least_requests", "power_of_two",
                                             "cache_aware", "dynamo",      "preble"};

constexpr KeySpec placement[] = {
    bind<Placement, &Placement::policy>({.name = "policy",
                                         .type = Type::choice,
                                         .sentence = "How a router chooses the replica of a request.",
                                         .example = "policy = \"additive\"",
                                         .words = policy_words}),
    bind<Placement, &Placement::explain>({.name = "explain",
                                          .type = Type::boolean,
                                          .sentence = "Whether routers log each choice with the scores of all replicas looked at.",
                                          .example = "explain = true"}),
    count<Placement, &Placement::sample_above>("sample_above", "replicas", 1, 65'536,
                                               "With more replicas of a model than this a router looks at a sample of them.",
                                               "sample_above = 64"),
    count<Placement, &Placement::sample>("sample", "replicas", 2, 64,
                                         "Replicas drawn at random for a sample; likely holders of the prefix come on top.", "sample = 8"),
    count<Placement, &Placement::prefix_weight_percent>("prefix_weight_percent", "percent", 0, 1000,
                                                        "Worth of a cached token against an uncached one; for the policy additive.",
                                                        "prefix_weight_percent = 100"),
    count<Placement, &Placement::decode_steps>("decode_steps", "steps", 0, 65'536,
                                               "Decode steps whose time is part of a replica's cost; for the policy additive.",
                                               "decode_steps = 16"),
};

constexpr KeySpec cache_aware[] = {
    count<CacheAware, &CacheAware::imbalance_requests>(
        "imbalance_requests", "requests", 0, 1'000'000,
        "Loads are out of balance when the most and the least loaded are further apart than this, and than imbalance_percent.",
        "imbalance_requests = 32"),
    count<CacheAware, &CacheAware::imbalance_percent>("imbalance_percent", "percent", 100, 10'000,
                                                      "Load of the most loaded replica against that of the least loaded one.",
                                                      "imbalance_percent = 110"),
    count<CacheAware, &CacheAware::match_percent>(
        "match_percent", "percent", 0, 100, "Share of a prompt that must be cached somewhere to decide the choice.", "match_percent = 50"),
    count<CacheAware, &CacheAware::kv_spread_percent>("kv_spread_percent", "percent", 0, 100,
                                                      "Difference in the use of KV blocks that counts as out of balance; 100 = off.",
                                                      "kv_spread_percent = 40"),
    count<CacheAware, &CacheAware::kv_use_percent>("kv_use_percent", "percent", 0, 100,
                                                   "Use of KV blocks that counts as out of balance; 100 = off.", "kv_use_percent = 90"),
};

constexpr KeySpec dynamo[] = {
    count<Dynamo, &Dynamo::overlap_percent>("overlap_percent", "percent", 0, 10'000, "Weight of a prefill block against a decode block.",
                                            "overlap_percent = 100"),
    count<Dynamo, &Dynamo::credit_percent>("credit_percent", "percent", 0, 1000, "Worth of a block that the replica holds.",
                                           "credit_percent = 100"),
    count<Dynamo, &Dynamo::decay_percent>("decay_percent", "percent", 0, 10'000,
                                          "How fast that worth fades where more prefill is under way than elsewhere.",
                                          "decay_percent = 50"),
    count<Dynamo, &Dynamo::request_percent>("request_percent", "percent of a block", 0, 100'000,
                                            "Blocks that each request there counts as.", "request_percent = 100"),
};

constexpr KeySpec preble[] = {
    bind<Preble, &Preble::window>({.name = "window",
                                   .type = Type::duration,
                                   .min = 1 * s,
                                   .max = 3600 * s,
                                   .sentence = "How long what was sent to a replica counts as its load.",
                                   .example = "window = \"3min\""}),
    count<Preble, &Preble::rebalance_percent>("rebalance_percent", "percent", 100, 10'000,
                                              "Load of the holder of a prefix against the least one beyond which it is passed over.",
                                              "rebalance_percent = 150"),
};

}  // namespace

std::span<const KeySpec> placement_keys() {
  return placement;
}
std::span<const KeySpec> cache_aware_keys() {
  return cache_aware;
}
std::span<const KeySpec> dynamo_keys() {
  return dynamo;
}
std::span<const KeySpec> preble_keys() {
  return preble;
}

}  // namespace spillway::config
