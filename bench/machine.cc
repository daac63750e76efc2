#include "bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spillway::bench {

namespace {

/// Best of five runs of work(thread) on all threads at once, in seconds.
template <class F>
double best_seconds(unsigned threads, const F& work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> crew;
    for (unsigned t = 1; t < threads; ++t) crew.emplace_back([&work, t] { work(t); });
    work(0U);
    for (auto& thread : crew) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

volatile std::uint64_t sink;

constexpr int peak_rounds = 20'000'000;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void use(__m512i x) {
  std::uint64_t words[8];
  _mm512_storeu_si512(words, x);
  sink = sink + words[0];
}

// Eight independent chains hide the latency. The loops over them must unroll, or the accumulators live in memory and the figure
// is the store's.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) void multiply_int8() {
  __m512i acc[8];
  const __m512i a = _mm512_set1_epi8(1);
#pragma GCC unroll 8
  for (auto& x : acc) x = a;
  for (int i = 0; i < peak_rounds / 8; ++i) {
#pragma GCC unroll 8
    for (auto& x : acc) {
      x = _mm512_dpbusd_epi32(x, a, a);
      asm volatile("" : "+v"(x));
    }
  }
#pragma GCC unroll 8
  for (auto& x : acc) use(x);
}

__attribute__((target("avx512f"))) void multiply_fp32() {
  __m512 acc[8];
  const __m512 a = _mm512_set1_ps(0.5F);
#pragma GCC unroll 8
  for (auto& x : acc) x = a;
  for (int i = 0; i < peak_rounds / 8; ++i) {
#pragma GCC unroll 8
    for (auto& x : acc) {
      x = _mm512_fmadd_ps(x, a, a);
      asm volatile("" : "+v"(x));
    }
  }
#pragma GCC unroll 8
  for (auto& x : acc) use(_mm512_castps_si512(x));
}

__attribute__((target("avx2"))) void use(__m256i x) {
  std::uint64_t words[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), x);
  sink = sink + words[0];
}

// Without a dot instruction 32 products take three: bytes to words, words to doublewords, and the sum.
__attribute__((target("avx2"))) void multiply_int8_avx2() {
  __m256i acc[8];
  const __m256i a = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
  for (auto& x : acc) x = a;
  for (int i = 0; i < peak_rounds / 8; ++i) {
#pragma GCC unroll 8
    for (auto& x : acc) {
      __m256i words = _mm256_maddubs_epi16(a, a);
      asm volatile("" : "+x"(words));
      x = _mm256_add_epi32(x, _mm256_madd_epi16(words, ones));
      asm volatile("" : "+x"(x));
    }
  }
#pragma GCC unroll 8
  for (auto& x : acc) use(x);
}

__attribute__((target("avx2,fma"))) void multiply_fp32_avx2() {
  __m256 acc[12];
  const __m256 a = _mm256_set1_ps(0.5F);
#pragma GCC unroll 12
  for (auto& x : acc) x = a;
  for (int i = 0; i < peak_rounds / 12; ++i) {
#pragma GCC unroll 12
    for (auto& x : acc) {
      x = _mm256_fmadd_ps(x, a, a);
      asm volatile("" : "+x"(x));
    }
  }
#pragma GCC unroll 12
  for (auto& x : acc) use(_mm256_castps_si256(x));
}
#endif

}  // namespace

double read_bandwidth(unsigned threads) {
  constexpr std::size_t words = (192ULL << 20) / 8;
  const std::vector<std::uint64_t> buffer(words, 1);
  const double seconds = best_seconds(threads, [&](unsigned t) {
    std::uint64_t a = 0, b = 0, c = 0, d = 0;
    for (std::size_t i = words / threads * t; i + 32 <= words / threads * (t + 1); i += 32) {
      for (std::size_t j = 0; j < 32; j += 4) a += buffer[i + j], b += buffer[i + j + 1], c += buffer[i + j + 2], d += buffer[i + j + 3];
    }
    sink = sink + a + b + c + d;
  });
  return static_cast<double>(words) * 8 / seconds;
}

double int8_peak(unsigned threads) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vnni")) return 128.0 * peak_rounds * threads / best_seconds(threads, [](unsigned) { multiply_int8(); });
  if (__builtin_cpu_supports("avx2")) return 64.0 * peak_rounds * threads / best_seconds(threads, [](unsigned) { multiply_int8_avx2(); });
#endif
  return 0;
}

double fp32_peak(unsigned threads) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return 32.0 * peak_rounds * threads / best_seconds(threads, [](unsigned) { multiply_fp32(); });
  if (__builtin_cpu_supports("fma")) return 16.0 * peak_rounds * threads / best_seconds(threads, [](unsigned) { multiply_fp32_avx2(); });
#endif
  return 0;
}

}  // namespace spillway::bench
