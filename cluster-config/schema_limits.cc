// Keys of [limits], [batching] and [timings]: the bound of every queue, table and loop, what a replica decides by, every interval.
#include "cluster-config/schema_bind.h"

namespace spillway::config {
namespace {

template <auto Member>
constexpr KeySpec count(std::string_view name, std::string_view unit, std::uint64_t min, std::uint64_t max, std::string_view sentence,
                        std::string_view example) {
  return bind<Limits, Member>(
      {.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .sentence = sentence, .example = example});
}
template <auto Member>
constexpr KeySpec bytes(std::string_view name, Type type, std::uint64_t min, std::uint64_t max, std::string_view sentence,
                        std::string_view example) {
  return bind<Limits, Member>({.name = name, .type = type, .min = min, .max = max, .sentence = sentence, .example = example});
}
template <auto Member>
constexpr KeySpec time(std::string_view name, std::uint64_t min, std::uint64_t max, std::string_view sentence, std::string_view example) {
  return bind<Timings, Member>({.name = name, .type = Type::duration, .min = min, .max = max, .sentence = sentence, .example = example});
}

constexpr KeySpec limits[] = {
    count<&Limits::step_tokens_max>("step_tokens_max", "tokens", 1, 65'536,
                                    "Token budget of one model step, shared by decodes and prefill chunks.", "step_tokens_max = 512"),
    count<&Limits::sequences_max>("sequences_max", "choices", 1, 65'536, "Choices that run at once on one replica.", "sequences_max = 256"),
    count<&Limits::queue_requests_max>("queue_requests_max", "requests", 1, 1'000'000,
                                       "Requests that wait at one replica; more are refused.", "queue_requests_max = 1024"),
    count<&Limits::prompt_tokens_max>("prompt_tokens_max", "tokens", 1, 1'048'576, "Longest prompt of one request.",
                                      "prompt_tokens_max = 8192"),
    count<&Limits::output_tokens_max>("output_tokens_max", "tokens", 1, 1'048'576, "Longest answer of one choice.",
                                      "output_tokens_max = 4096"),
    count<&Limits::choices_max>("choices_max", "choices", 1, 128, "Most choices (n) of one request.", "choices_max = 4"),
    count<&Limits::stop_strings_max>("stop_strings_max", "strings", 0, 256, "Most stop strings of one request.", "stop_strings_max = 4"),
    count<&Limits::stop_string_bytes_max>("stop_string_bytes_max", "bytes", 1, 65'536, "Longest stop string.",
                                          "stop_string_bytes_max = 256"),
    count<&Limits::logprobs_max>("logprobs_max", "tokens", 0, 256, "Most alternatives reported with each token.", "logprobs_max = 5"),
    count<&Limits::streams_per_router_max>("streams_per_router_max", "streams", 1, 1'000'000,
                                           "Streams that one router has admitted and that have not ended.",
                                           "streams_per_router_max = 4096"),
    count<&Limits::tenant_streams_max>("tenant_streams_max", "streams", 1, 1'000'000,
                                       "Streams of one tenant that one router has admitted and that have not ended.",
                                       "tenant_streams_max = 256"),
    count<&Limits::clients_max>("clients_max", "clients", 1, 65'536, "Clients connected to one node.", "clients_max = 1024"),
    bytes<&Limits::frame_bytes_max>("frame_bytes_max", Type::size, 1 * kib, 256 * kib, "Largest frame of the bulk lane.",
                                    "frame_bytes_max = \"256KiB\""),
    bytes<&Limits::message_bytes_max>("message_bytes_max", Type::size, 64 * kib, 64 * mib,
                                      "Largest message of the control and token lanes and of clients.", "message_bytes_max = \"4MiB\""),
    bytes<&Limits::credit_bytes>("credit_bytes", Type::size, 4 * kib, 1 * gib,
                                 "Bulk bytes in flight on one link before the receiver has consumed them.", "credit_bytes = \"8MiB\""),
    count<&Limits::link_resend_messages_max>("link_resend_messages_max", "messages", 16, 1'000'000,
                                             "Unacknowledged messages kept on one lane of one link; more reset the link.",
                                             "link_resend_messages_max = 4096"),
    bytes<&Limits::bulk_bandwidth_max_bytes_per_s>("bulk_bandwidth_max", Type::bandwidth, 0, 1024 * gib,
                                                   "Bytes per second that one node sends in bulk; 0 = unlimited.",
                                                   "bulk_bandwidth_max = \"100MB/s\""),
    count<&Limits::move_concurrent_max>("move_concurrent_max", "moves", 1, 1024, "Streams that move at once over one link.",
                                        "move_concurrent_max = 4"),
    count<&Limits::transfers_max>("transfers_max", "transfers", 1, 65'536, "Exports and imports of pages at once on one node.",
                                  "transfers_max = 64"),
    count<&Limits::operations_max>("operations_max", "operations", 1, 65'536,
                                   "Status requests, drains and moves of others' streams under way at one router, of each kind.",
                                   "operations_max = 256"),
};

template <auto Member>
constexpr KeySpec batch(std::string_view name, std::string_view unit, std::uint64_t min, std::uint64_t max, std::string_view sentence,
                        std::string_view example) {
  return bind<Batching, Member>(
      {.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .sentence = sentence, .example = example});
}

constexpr KeySpec batching[] = {
    bind<Batching, &Batching::admission>(
        {.name = "admission",
         .type = Type::choice,
         .sentence = "When a waiting request begins: prompt = its prompt fits; growth = with room to grow; past_future = the pool is "
                     "expected to last for all that run, by the lengths of recent answers.",
         .example = "admission = \"past_future\"",
         .words = admission_words}),
    batch<&Batching::growth_blocks>("growth_blocks", "blocks", 0, 65'536,
                                    "Room to grow for each choice of a request that begins, with admission = \"growth\".",
                                    "growth_blocks = 4"),
    batch<&Batching::reserve_blocks>("reserve_blocks", "blocks", 0, 1'000'000,
                                     "Blocks kept for those that run before another request begins.", "reserve_blocks = 8"),
    batch<&Batching::answer_quantile_percent>(
        "answer_quantile_percent", "percent", 1, 99,
        "How long an answer is taken to become, among the recent answers that were longer than it is, with admission = \"past_future\".",
        "answer_quantile_percent = 70"),
    batch<&Batching::input_token_cost>("input_token_cost", "units", 0, 1000, "What a prompt token costs its tenant in the fair queue.",
                                       "input_token_cost = 1"),
    batch<&Batching::output_token_cost>("output_token_cost", "units", 1, 1000,
                                        "What a generated token costs its tenant in the fair queue; at least input_token_cost.",
                                        "output_token_cost = 2"),
};

constexpr KeySpec timings[] = {
    time<&Timings::report_interval>("report_interval", 10 * ms, 10 * s, "How often a node reports its load to the routers.",
                                    "report_interval = \"100ms\""),
    time<&Timings::heartbeat_interval>("heartbeat_interval", 10 * ms, 10 * s, "How often a silent link is kept alive.",
                                       "heartbeat_interval = \"100ms\""),
    time<&Timings::suspect_after>("suspect_after", 20 * ms, 60 * s, "Silence after which a node gets no new work.",
                                  "suspect_after = \"300ms\""),
    time<&Timings::dead_after>("dead_after", 50 * ms, 600 * s, "Silence after which a node's streams are run elsewhere.",
                               "dead_after = \"600ms\""),
    time<&Timings::resend_after>("resend_after", 5 * ms, 10 * s, "Wait before an unacknowledged message is sent again.",
                                 "resend_after = \"50ms\""),
    time<&Timings::client_ping_interval>("client_ping_interval", 10 * ms, 60 * s,
                                         "How often a node asks a silent client for a sign of life.", "client_ping_interval = \"250ms\""),
    time<&Timings::client_silence_max>("client_silence_max", 100 * ms, 600 * s, "Silence after which a client's streams are cancelled.",
                                       "client_silence_max = \"5s\""),
    time<&Timings::lease>("lease", 100 * ms, 600 * s, "Life of the reservations and pins of a transfer without news of it.",
                          "lease = \"2s\""),
    time<&Timings::ask_owner_interval>("ask_owner_interval", 10 * ms, 60 * s, "How often a frozen source asks the owner who goes on.",
                                       "ask_owner_interval = \"200ms\""),
    time<&Timings::class_ageing>("class_ageing", 10 * ms, 3600 * s,
                                 "Wait at a replica after which a request is served like the next better class.", "class_ageing = \"10s\""),
    time<&Timings::restart_backoff_min>("restart_backoff_min", 10 * ms, 60 * s, "First wait before a failed replica or node starts again.",
                                        "restart_backoff_min = \"200ms\""),
    time<&Timings::restart_backoff_max>("restart_backoff_max", 10 * ms, 600 * s, "Longest wait between two starts.",
                                        "restart_backoff_max = \"10s\""),
    time<&Timings::stop_after>("stop_after", 100 * ms, 600 * s, "An orderly stop that takes longer is forced.", "stop_after = \"4s\""),
};

}  // namespace

std::span<const KeySpec> limit_keys() {
  return limits;
}
std::span<const KeySpec> batching_keys() {
  return batching;
}
std::span<const KeySpec> timing_keys() {
  return timings;
}

}  // namespace spillway::config
