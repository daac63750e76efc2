// Speed of the matrix products alone, for the shapes of SmolLM2-135M and for every type of weights: GB/s of packed weights and
// GOPS, and what share of the machine's ceilings, measured in the same run, they are. Enough copies of a matrix take turns that one
// row at a time reads them from memory, as a model step does, and not from a cache.
//
//   bench_matmul [--threads N] [--isa scalar|avx2|avx512] [--type NAME]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <vector>

#include "bench/machine.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"

namespace {

using namespace spillway;
using kernels::WeightType;

struct Shape {
  WeightType type;
  std::size_t rows;
  std::size_t k;
};

/// Random codes. Bit 6 of every byte is clear, so no scale, wherever a type keeps it, is infinite, NaN or above 2. Floats, and
/// exponents that are scales, are near 0.01 too: what is subnormal some processors compute slowly.
core::ByteVector random_tensor(const Shape& shape) {
  core::ByteVector raw(shape.rows * *kernels::row_bytes(shape.type, shape.k));
  std::mt19937_64 rng{7};
  for (auto& byte : raw) byte = static_cast<std::byte>(rng() >> 56 & 0xbf);
  const std::size_t unit = kernels::block_type(shape.type).bytes;
  if (!kernels::takes_quantized(shape.type))
    for (auto i = unit - 1; i < raw.size(); i += unit) raw[i] = std::byte{0x3c};
  if (shape.type == WeightType::mxfp4)
    for (std::size_t i = 0; i < raw.size(); i += unit) raw[i] = std::byte{120};
  return raw;
}

/// Seconds per product of n rows with the quantisation before it: the tenth percentile over many, the copies taking turns, so that
/// neighbours on a shared machine spoil the figure little and luck does not make it.
double seconds_of(const std::vector<kernels::PackedMatrix>& copies, std::size_t n, kernels::ThreadPool& pool) {
  const auto k = copies[0].k();
  const auto rows = copies[0].rows();
  std::vector<float> x(n * k);
  std::mt19937 rng{1};
  std::normal_distribution<float> normal;
  for (auto& value : x) value = normal(rng);
  kernels::QuantizedRows quantized{n, k};
  std::vector<float> y(n * rows);
  std::vector<double> seconds;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{400};
  do {
    for (const auto& w : copies) {
      const auto begin = std::chrono::steady_clock::now();
      if (kernels::takes_quantized(w.type())) quantized.assign(x.data(), n, k, k, pool);  // as the graph does before most products
      kernels::matmul(w, {x.data(), k, n, k, &quantized}, y.data(), rows, pool);
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  } while (std::chrono::steady_clock::now() < end);
  const auto tenth = seconds.begin() + static_cast<long>(seconds.size() / 10);
  std::nth_element(seconds.begin(), tenth, seconds.end());
  return *tenth;
}

struct Ceilings {
  double bandwidth;
  double int8_peak;
  double fp32_peak;
};

void measure(const Shape& shape, const std::vector<std::size_t>& ns, kernels::ThreadPool& pool, const Ceilings& ceilings) {
  constexpr std::size_t streamed_bytes = 100'000'000;
  const auto raw = random_tensor(shape);
  std::vector<kernels::PackedMatrix> copies;
  for (std::size_t bytes = 0; bytes < streamed_bytes; bytes += raw.size()) {
    auto w = kernels::PackedMatrix::pack(shape.type, raw, shape.rows, shape.k, &pool);
    if (!w) std::fprintf(stderr, "bench_matmul: %s\n", w.error().message.c_str()), std::exit(1);
    copies.push_back(std::move(*w));
  }
  for (const std::size_t n : ns) {
    if (n == 512 && copies.size() > 8) copies.erase(copies.begin() + 8, copies.end());
    const auto seconds = seconds_of(copies, n, pool);
    const auto bytes = static_cast<double>(copies[0].bytes()) / seconds;
    const auto ops = 2.0 * static_cast<double>(shape.rows * shape.k * n) / seconds;
    const auto peak = kernels::takes_quantized(shape.type) ? ceilings.int8_peak : ceilings.fp32_peak;
    std::printf("%-9s %6zu x %-5zu n = %-4zu %9.1f us  %6.1f GB/s (%5.1f %%)  %7.1f GOPS (%5.1f %%)\n", to_string(shape.type).data(),
                shape.rows, shape.k, n, seconds * 1e6, bytes / 1e9, 100 * bytes / ceilings.bandwidth, ops / 1e9,
                peak > 0 ? 100 * ops / peak : 0.0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  unsigned threads = 2;
  std::string_view only;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    if (key == "--threads") threads = static_cast<unsigned>(std::max(1, std::atoi(argv[i + 1])));
    if (key == "--type") only = argv[i + 1];
    const auto isa = kernels::isa_from_string(argv[i + 1]);
    if (key == "--isa" && (!isa || !kernels::set_isa(*isa))) {
      std::fprintf(stderr, "bench_matmul: no instruction set %s here\n", argv[i + 1]);
      return 1;
    }
  }
  const Ceilings ceilings{bench::read_bandwidth(threads), bench::int8_peak(threads), bench::fp32_peak(threads)};
  std::printf("isa %s, %u threads; read bandwidth %.1f GB/s, int8 peak %.0f GOPS, f32 peak %.0f GFLOPS\n",
              kernels::to_string(kernels::current_isa()).data(), threads, ceilings.bandwidth / 1e9, ceilings.int8_peak / 1e9,
              ceilings.fp32_peak / 1e9);
  kernels::ThreadPool pool{threads};
  const auto wanted = [&](WeightType type) { return only.empty() || kernels::to_string(type) == only; };
  for (const auto& shape : {Shape{WeightType::q4_1, 576, 576}, Shape{WeightType::q4_1, 192, 576}, Shape{WeightType::q4_1, 1536, 576},
                            Shape{WeightType::q4_1, 576, 1536}, Shape{WeightType::q8_0, 49152, 576}, Shape{WeightType::f16, 1536, 576},
                            Shape{WeightType::f32, 1536, 576}})
    if (wanted(shape.type)) measure(shape, {1, 8, 32, 512}, pool, ceilings);
  for (std::size_t i = 0; i < kernels::weight_type_count; ++i)
    if (wanted(static_cast<WeightType>(i))) measure({static_cast<WeightType>(i), 4096, 4096}, {1, 16, 32, 96}, pool, ceilings);
  return 0;
}
