// Speed of the model step on this machine: tokens/s of one stream, of a prompt, of many streams; bytes and operations, and what
// share of the machine's measured read bandwidth and int8 peak they are.
//
//   bench_model MODEL.gguf [--threads N] [--isa scalar|avx2|avx512] [--kv raw16|raw32] [--rounds N]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/machine.h"
#include "model/cpu_device.h"

namespace {

using namespace spillway;

struct Options {
  model::CpuOptions device;
  int rounds = 3;
};

/// Multiply-adds of one row through all matrices but the head, and of the head; bytes of both.
struct Work {
  double body_ops = 0, head_ops = 0, body_bytes = 0, head_bytes = 0;
};

Work work_of(const model::Weights& weights) {
  Work work;
  for (const auto& l : weights.layers) {
    for (const auto* m : {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down}) {
      work.body_ops += 2.0 * static_cast<double>(m->rows()) * static_cast<double>(m->k());
      work.body_bytes += static_cast<double>(m->bytes());
    }
  }
  const auto& head = weights.head();
  work.head_ops = 2.0 * static_cast<double>(head.rows()) * static_cast<double>(head.k());
  work.head_bytes = static_cast<double>(head.bytes());
  return work;
}

/// `streams` sequences of `prompt` tokens each, prefilled, then `answer` tokens each, all in step.
struct Timing {
  double prefill_s = 0, decode_s = 0;
};

Timing run(model::CpuDevice& device, std::uint32_t streams, std::uint32_t prompt, std::uint32_t answer, std::uint32_t chunk) {
  auto request = std::make_shared<core::Request>();
  std::vector<core::TokenId> tokens;
  for (std::uint32_t i = 0; i < prompt; ++i) tokens.push_back(static_cast<core::TokenId>(100 + i * 37 % 1000));
  request->prompt = tokens;
  request->tokens_max = answer;
  request->ignore_eos = true;
  const std::uint32_t pages = (prompt + answer + core::block_tokens - 1) / core::block_tokens;
  std::vector<std::vector<core::BlockId>> blocks(streams);
  std::vector<core::TokenId> last(streams);
  Timing timing;
  for (std::uint32_t s = 0; s < streams; ++s) {
    for (std::uint32_t p = 0; p < pages; ++p) blocks[s].push_back(s * pages + p);
    for (std::uint32_t from = 0; from < prompt; from += chunk) {
      core::StepPlan plan;
      if (from == 0) plan.opens.push_back({core::SequenceId{s + 1}, request, 0, {}});
      const std::uint32_t end = std::min(prompt, from + chunk);
      plan.items.push_back({core::SequenceId{s + 1}, from, {tokens.begin() + from, tokens.begin() + end}, blocks[s], {}, {}});
      if (end == prompt) plan.items.back().samples.push_back({core::SequenceId{s + 1}, 0});
      const auto result = device.execute(plan);
      if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str()), std::exit(1);
      timing.prefill_s += core::to_ms(result->elapsed) / 1e3;
      if (end == prompt) last[s] = result->sampled[0].out.token;
    }
  }
  for (std::uint32_t t = 1; t < answer; ++t) {
    core::StepPlan plan;
    for (std::uint32_t s = 0; s < streams; ++s)
      plan.items.push_back({core::SequenceId{s + 1}, prompt + t - 1, {last[s]}, blocks[s], {{core::SequenceId{s + 1}, t}}, {}});
    if (t + 1 == answer)
      for (std::uint32_t s = 0; s < streams; ++s) plan.closes.push_back(core::SequenceId{s + 1});
    const auto result = device.execute(plan);
    if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str()), std::exit(1);
    timing.decode_s += core::to_ms(result->elapsed) / 1e3;
    for (std::uint32_t s = 0; s < streams; ++s) last[s] = result->sampled[s].out.token;
  }
  return timing;
}

Options parse(int argc, char** argv) {
  Options options;
  options.device.threads = 2;
  options.device.step_rows_max = 512;
  options.device.kv_bytes = 512ULL << 20;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&]() -> const char* { return i + 1 < argc ? argv[++i] : ""; };
    if (arg == "--threads") options.device.threads = static_cast<unsigned>(std::atoi(value()));
    else if (arg == "--isa") options.device.isa = kernels::isa_from_string(value());
    else if (arg == "--kv") core::parse_page_format(value(), options.device.page_format);
    else if (arg == "--rounds") options.rounds = std::atoi(value());
    else options.device.path = arg;
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a slow machine shows how far it is
  const auto options = parse(argc, argv);
  auto device = model::CpuDevice::make(options.device);
  if (!device) {
    std::fprintf(stderr, "bench_model: %s\n", device.error().message.c_str());
    return 1;
  }
  const auto work = work_of((*device)->weights());
  const double bandwidth = bench::read_bandwidth(options.device.threads);
  const double peak = bench::int8_peak(options.device.threads);
  std::printf("isa %s, %u threads; read bandwidth %.1f GB/s, int8 peak %.0f GOPS; weights %.1f MB\n", (*device)->info().isa.c_str(),
              options.device.threads, bandwidth / 1e9, peak / 1e9, (work.body_bytes + work.head_bytes) / 1e6);

  struct Case {
    const char* name;
    std::uint32_t streams, prompt, answer, chunk;
    bool decode;
  };
  const Case cases[] = {{"decode, 1 stream, prompt 16", 1, 16, 64, 512, true}, {"decode, 1 stream, prompt 1024", 1, 1024, 48, 512, true},
                        {"decode, 8 streams", 8, 16, 48, 512, true},           {"decode, 32 streams", 32, 16, 32, 512, true},
                        {"prefill, 512 tokens", 1, 512, 1, 512, false},        {"prefill, 2048 tokens by 512", 1, 2048, 1, 512, false},
                        {"prefill, 256 tokens by 32", 1, 256, 1, 32, false}};
  for (const auto& c : cases) {
    double best = 0;
    for (int round = 0; round < options.rounds; ++round) {
      const auto timing = run(**device, c.streams, c.prompt, c.answer, c.chunk);
      const double tokens = c.decode ? double(c.streams) * (c.answer - 1) : double(c.prompt);
      best = std::max(best, tokens / (c.decode ? timing.decode_s : timing.prefill_s));
    }
    const double rows_per_step = c.decode ? c.streams : c.chunk;
    const double bytes = (work.body_bytes + (c.decode ? work.head_bytes : 0)) / rows_per_step * best;
    const double ops = (work.body_ops + (c.decode ? work.head_ops : 0)) * best;
    std::printf("%-32s %8.1f tokens/s  %6.2f GB/s (%4.1f %%)  %7.1f GOPS (%4.1f %%)\n", c.name, best, bytes / 1e9, 100 * bytes / bandwidth,
                ops / 1e9, 100 * ops / peak);
  }
  return 0;
}
