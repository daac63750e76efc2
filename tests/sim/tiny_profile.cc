#include "tests/sim/tiny_profile.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "sim/profile.h"

namespace spillway::sim::test {

namespace {

std::string dense_csv() {
  std::ostringstream out;
  out << "layer,tokens,time_us\n";
  for (const char* layer :
       {"embedding", "layernorm", "qkv_proj", "rotary_emb", "o_proj", "gate_up_proj", "act_fn", "down_proj", "final_layernorm"})
    out << layer << ",0,10\n" << layer << ",1024,1034\n";
  return out.str();
}

std::string attention_csv() {
  std::ostringstream out;
  out << "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n";
  const auto row = [&](int chunk, int history, int decodes, int context) {
    out << chunk << ',' << history << ',' << decodes << ',' << context << ',' << 2 + chunk + history * 0.5 + decodes * 3 + context * 0.25
        << '\n';
  };
  for (const int decodes : {1, 65}) {
    for (const int context : {16, 1040}) row(0, 0, decodes, context);
  }
  for (const int chunk : {16, 1040}) {
    for (const int history : {0, 1024}) {
      row(chunk, history, 0, 0);
      for (const int decodes : {1, 65}) {
        for (const int context : {16, 1040}) row(chunk, history, decodes, context);
      }
    }
  }
  return out.str();
}

const char* const meta_yaml = R"(profiler_version: 1.0.0
gpu: A card's name  # as the driver says
architecture: llama
model: example/Tiny-2L
tp_degrees: [1, 2]
engine_effective:
  max_num_batched_tokens: 64
  hf_overrides:
    num_hidden_layers: 1
skew_fit:
  enabled: false
)";

const char* const vllm_meta = R"({
  "engine_kwargs": {"max_num_seqs": 8, "max_num_batched_tokens": 64, "tensor_parallel_size": 1},
  "kv_cache": {
    "num_gpu_blocks": 40,
    "block_size": 16,
    "enable_prefix_caching": true
  },
  "resolved_config": {"scheduler_config": {"max_num_seqs": 4, "max_num_batched_tokens": 128}}
}
)";

const char* const requests = R"({"input_length": 32, "output_length": 3, "hash_ids": [1, 2]}
{"input_length": 32, "output_length": 2, "hash_ids": [1, 3]}
{"input_length": 32, "output_length": 1, "hash_ids": [4, 5]}
)";

const char* const served =
    R"({"request_id": "bench-0", "input_toks": 32, "output_toks": 3, "queued_ts": 100.0, "scheduled_ts": 100.1, "first_token_ts": 100.5, "last_token_ts": 101.0}
{"request_id": "bench-1", "input_toks": 32, "output_toks": 2, "queued_ts": 100.001, "scheduled_ts": 100.1, "first_token_ts": 100.501, "last_token_ts": 101.001}
{"request_id": "bench-2", "input_toks": 32, "output_toks": 1, "queued_ts": 100.5, "scheduled_ts": 100.6, "first_token_ts": 101.5, "last_token_ts": 101.5}
)";

}  // namespace

TinyProfile::TinyProfile() {
  write("dense.csv", dense_csv());
  write("per_sequence.csv", "layer,sequences,time_us\nlm_head,0,100\nlm_head,128,1380\nsampler,1,5\n");
  write("attention.csv", attention_csv());
  write("meta.yaml", meta_yaml);
  write("vllm-meta.json", vllm_meta);
  write("workload.jsonl", requests);
  write("vllm-requests.jsonl", served);
}

CostModel tiny_costs() {
  const TinyProfile folder;
  auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
  return std::move(profile->costs);
}

ServedWorkload workload_of(std::vector<ServedItem> items) {
  ServedWorkload workload{"workload.jsonl", std::move(items)};
  std::uint32_t line = 0;
  for (auto& item : workload.items) item.line = ++line;
  return workload;
}

bool says(const core::Error& error, const std::string& place, const std::string& text) {
  const bool found = error.message.find(place) != std::string::npos && error.message.find(text) != std::string::npos;
  if (!found) BOOST_TEST_MESSAGE("the error says: " << error.message);
  return found;
}

std::string shared_path(const std::string& name) {
  const char* set = std::getenv("SPILLWAY_SHARED");
  const std::filesystem::path root =
      set != nullptr && *set != 0 ? std::filesystem::path(set) : std::filesystem::path(SPILLWAY_SOURCE_DIR) / ".." / "shared";
  const std::filesystem::path path = root / name;
  std::error_code error;
  return std::filesystem::exists(path, error) ? path.string() : std::string{};
}

}  // namespace spillway::sim::test
