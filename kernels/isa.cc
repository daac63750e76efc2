#include "kernels/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <atomic>

namespace spillway::kernels {

namespace {

struct Counters {
  std::array<std::atomic<std::uint64_t>, isa_count> calls{};
  std::atomic<std::uint64_t> gemm{0};
  std::atomic<std::uint64_t> gemv{0};
  std::atomic<std::uint64_t> small{0};
};

Counters counters;
constexpr std::size_t gemm_rows_min = 16;

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa{best_isa()};
  return isa;
}

#if defined(__x86_64__)
// clang 14 does not know "f16c" by name.
bool has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

// __builtin_cpu_supports reads cpuid and, for the AVX families, XGETBV: the operating system must save the registers too.
bool detect(Isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && has_f16c();
    case Isa::avx512:
      return detect(Isa::avx2) && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vnni") != 0;
  }
  return false;
#else
  return isa == Isa::scalar;
#endif
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "?";
}

std::optional<Isa> isa_from_string(std::string_view name) {
  for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (name == to_string(isa)) return isa;
  return std::nullopt;
}

bool isa_supported(Isa isa) {
  static const std::array<bool, isa_count> supported{detect(Isa::scalar), detect(Isa::avx2), detect(Isa::avx512)};
  return supported.at(static_cast<std::size_t>(isa));
}

Isa best_isa() {
  if (isa_supported(Isa::avx512)) return Isa::avx512;
  return isa_supported(Isa::avx2) ? Isa::avx2 : Isa::scalar;
}

Isa current_isa() {
  return chosen().load(std::memory_order_relaxed);
}

bool set_isa(Isa isa) {
  if (!isa_supported(isa)) return false;
  chosen().store(isa, std::memory_order_relaxed);
  return true;
}

KernelCounts kernel_counts() {
  KernelCounts counts;
  for (std::size_t i = 0; i < isa_count; ++i) counts.calls.at(i) = counters.calls.at(i).load(std::memory_order_relaxed);
  counts.gemm = counters.gemm.load(std::memory_order_relaxed);
  counts.gemv = counters.gemv.load(std::memory_order_relaxed);
  counts.small = counters.small.load(std::memory_order_relaxed);
  return counts;
}

void reset_kernel_counts() {
  for (auto& calls : counters.calls) calls.store(0, std::memory_order_relaxed);
  counters.gemm.store(0, std::memory_order_relaxed);
  counters.gemv.store(0, std::memory_order_relaxed);
  counters.small.store(0, std::memory_order_relaxed);
}

void count_call(Isa isa) {
  counters.calls.at(static_cast<std::size_t>(isa)).fetch_add(1, std::memory_order_relaxed);
}

void count_matmul(Isa isa, std::size_t rows) {
  count_call(isa);
  auto& counter = rows >= gemm_rows_min ? counters.gemm : rows == 1 ? counters.gemv : counters.small;
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace spillway::kernels
