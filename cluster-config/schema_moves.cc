// Keys of [spill] and [disaggregation]: when a stream leaves its node.
#include "cluster-config/schema_bind.h"

namespace spillway::config {
namespace {

template <class S, auto Member>
constexpr KeySpec count(std::string_view name, std::string_view unit, std::uint64_t min, std::uint64_t max, std::string_view sentence,
                        std::string_view example) {
  return bind<S, Member>(
      {.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .sentence = sentence, .example = example});
}
template <auto Member>
constexpr KeySpec time(std::string_view name, std::uint64_t min, std::uint64_t max, std::string_view sentence, std::string_view example) {
  return bind<Spill, Member>({.name = name, .type = Type::duration, .min = min, .max = max, .sentence = sentence, .example = example});
}

constexpr std::string_view decode_words[] = {"least_tpot", "pack"};

constexpr KeySpec spill[] = {
    bind<Spill, &Spill::enabled>({.name = "enabled",
                                  .type = Type::boolean,
                                  .sentence = "Whether routers move streams off nodes that are too full.",
                                  .example = "enabled = false"}),
    count<Spill, &Spill::free_low_percent>("free_low_percent", "percent", 0, 99,
                                           "A node with a queue and fewer free blocks than this counts as full.", "free_low_percent = 10"),
    count<Spill, &Spill::free_high_percent>("free_high_percent", "percent", 1, 100,
                                            "Blocks that stay free where a running stream is moved to.", "free_high_percent = 30"),
    time<&Spill::exhaustion>("exhaustion", 0, 600 * s,
                             "A node whose free blocks last no longer than this, as its streams grow, counts as full.",
                             "exhaustion = \"2s\""),
    time<&Spill::queue_wait>("queue_wait", 1 * ms, 600 * s, "A node where waiting prompts take longer than this counts as full.",
                             "queue_wait = \"1s\""),
    count<Spill, &Spill::crowd_percent>("crowd_percent", "percent", 101, 100'000,
                                        "A node where a token takes so much of what it takes elsewhere counts as full.",
                                        "crowd_percent = 150"),
    time<&Spill::margin>("margin", 0, 600 * s, "Time that a move has to save, all its costs deducted.", "margin = \"50ms\""),
    count<Spill, &Spill::moves_per_stream_max>("moves_per_stream_max", "moves", 0, 1000,
                                               "How often a stream may be moved; drains and operators may still move it.",
                                               "moves_per_stream_max = 2"),
    time<&Spill::hold>("hold", 0, 10 * s,
                       "A stream that has to give up its blocks is held for so long at most, to be moved away where that is cheaper "
                       "than computing it again; 0 = never.",
                       "hold = \"300ms\""),
    time<&Spill::cool_down>("cool_down", 0, 3600 * s, "Time between two moves of a stream.", "cool_down = \"5s\""),
    count<Spill, &Spill::leaving_max>("leaving_max", "moves", 1, 1024, "Moves at once away from one node.", "leaving_max = 4"),
    count<Spill, &Spill::arriving_max>("arriving_max", "moves", 1, 1024, "Moves at once to one node.", "arriving_max = 4"),
    count<Spill, &Spill::given_back_max>("given_back_max", "requests", 0, 65'536,
                                         "Waiting requests that leave a node at once, to be placed elsewhere.", "given_back_max = 16"),
    count<Spill, &Spill::horizon_tokens>("horizon_tokens", "tokens", 1, 65'536, "Part of an answer still to come whose time is compared.",
                                         "horizon_tokens = 128"),
    time<&Spill::downtime>("downtime", 0, 10 * s, "Pause of a stream that moves, until moves have been measured.", "downtime = \"20ms\""),
    bind<Spill, &Spill::bandwidth_bytes_per_s>({.name = "bandwidth",
                                                .type = Type::bandwidth,
                                                .min = 1000,
                                                .max = 1'000'000'000'000,
                                                .sentence = "Bandwidth of a move between nodes, until moves have been measured.",
                                                .example = "bandwidth = \"100MB/s\""}),
    count<Spill, &Spill::interference_percent>("interference_percent", "percent", 0, 1000,
                                               "Part of the time of a copy that it costs other streams.", "interference_percent = 10"),
    time<&Spill::interval>("interval", 10 * ms, 60 * s, "How often a router looks for streams to move.", "interval = \"200ms\""),
};

constexpr KeySpec disaggregation[] = {
    count<Disaggregation, &Disaggregation::prompt_tokens_min>(
        "prompt_tokens_min", "tokens", 1, 1'048'576,
        "Prompt tokens that no decode node has cached from which a request goes to a prefill node.", "prompt_tokens_min = 512"),
    bind<Disaggregation, &Disaggregation::decode_choice>(
        {.name = "decode_choice",
         .type = Type::choice,
         .sentence = "Where answers are made: where a token takes least time, or packed where it still keeps the tpot of its class.",
         .example = "decode_choice = \"pack\"",
         .words = decode_words}),
    count<Disaggregation, &Disaggregation::tpot_percent>("tpot_percent", "percent", 1, 100, "Part of the promised tpot that pack fills.",
                                                         "tpot_percent = 85"),
};

}  // namespace

std::span<const KeySpec> spill_keys() {
  return spill;
}
std::span<const KeySpec> disaggregation_keys() {
  return disaggregation;
}

}  // namespace spillway::config
