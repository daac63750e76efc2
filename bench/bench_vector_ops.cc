// Speed of the vector operations on one thread, per instruction set.
//
//   bench_vector_ops [--rounds N]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "kernels/attention.h"
#include "kernels/gelu_mul.h"
#include "kernels/isa.h"
#include "kernels/math.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/rope.h"
#include "kernels/silu_mul.h"
#include "kernels/softcap.h"
#include "kernels/vector_ops.h"

namespace {

using namespace spillway;

/// Best seconds of one call.
double best(int rounds, const std::function<void()>& f) {
  double seconds = 1e9;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return seconds;
}

/// Attention of `rows` rows at the end of `tokens`, 9 heads over 3 KV heads of 64, as the default model has them.
double attention_seconds(int rounds, core::PageFormat format, std::uint32_t tokens, std::uint32_t rows, kernels::ThreadPool& pool) {
  const kernels::PageShape shape{1, 3, 64, format};
  std::vector<core::BlockId> blocks((tokens + 15) / 16);
  std::iota(blocks.begin(), blocks.end(), core::BlockId{0});
  std::vector<std::byte> pages(blocks.size() * shape.page_bytes());
  kernels::Attention attention{shape, 9, rows, 1};
  std::vector<float> q(std::size_t{rows} * 9 * 64, 0.1F);
  std::vector<float> out(q.size());
  for (std::uint32_t p = 0; p < tokens; ++p) attention.write(pages.data(), 0, blocks.data(), p, q.data(), q.data());
  return best(rounds, [&] { attention.run(pages.data(), 0, {{blocks.data(), tokens - rows, rows, 0}}, q.data(), out.data(), pool); });
}

void run(int rounds) {
  kernels::ThreadPool pool{1};
  constexpr std::size_t n = 1536;
  std::vector<float> x(64 * n, 0.7F);
  std::vector<float> y(64 * n);
  const double million = 64.0 * n / 1e6;
  const auto rate = [&](double seconds) { return million / seconds; };
  kernels::QuantizedRows quantized{64, n};
  std::printf("  exp %.0f  log %.0f  rms_norm %.0f  silu_mul %.0f  gelu_mul %.0f  softcap %.0f  quantize %.0f  million values/s\n",
              rate(best(rounds, [&] { kernels::exp(x.data(), y.data(), x.size()); })),
              rate(best(rounds, [&] { kernels::log(x.data(), y.data(), x.size()); })),
              rate(best(rounds, [&] { kernels::rms_norm(x.data(), x.data(), y.data(), 64, n, 1e-5F, pool); })),
              rate(best(rounds, [&] { kernels::silu_mul(x.data(), x.data(), y.data(), 64, n, pool); })),
              rate(best(rounds, [&] { kernels::gelu_mul(x.data(), x.data(), y.data(), 64, n, pool); })),
              rate(best(rounds, [&] { kernels::softcap(y.data(), 64, n, 30.0F, pool); })),
              rate(best(rounds, [&] { quantized.assign(x.data(), 64, n, n, pool); })));
  const kernels::Rope rope{{.dims = 64}, kernels::RopeOrder::adjacent, {}};
  std::vector<float> cosines(64);
  std::vector<float> sines(64);
  const double angles = best(rounds, [&] { rope.angles(4000, cosines.data(), sines.data()); });
  const double turn = best(rounds, [&] { kernels::rope(rope.order(), y.data(), 9, 64, cosines.data(), sines.data()); });
  std::printf("  rope: angles of one position %.2f us, 9 heads %.2f us\n", angles * 1e6, turn * 1e6);
  for (const auto format : {core::PageFormat::raw16, core::PageFormat::raw32}) {
    for (const std::uint32_t rows : {1U, 64U}) {
      const double seconds = attention_seconds(rounds, format, 2048, rows, pool);
      std::printf("  attention %s, %2u rows at 2,048 tokens: %.2f us a row and KV head, per 1,024 tokens\n",
                  format == core::PageFormat::raw16 ? "raw16" : "raw32", rows, seconds * 1e6 / rows / 3 / 2);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc == 3 && std::strcmp(argv[1], "--rounds") == 0 ? std::max(1, std::atoi(argv[2])) : 20;
  for (const auto isa : {kernels::Isa::scalar, kernels::Isa::avx2, kernels::Isa::avx512}) {
    if (!kernels::set_isa(isa)) continue;
    std::printf("%s\n", std::string{kernels::to_string(isa)}.c_str());
    run(isa == kernels::Isa::scalar ? 2 : rounds);
  }
  return 0;
}
