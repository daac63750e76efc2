#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::kernels {

/// Instruction sets that an operation is written in. All give the same bits (numerics contract), so the choice is one of speed.
///   avx2    AVX2, FMA, F16C
///   avx512  F, BW, VL, DQ and VNNI
enum class Isa : std::uint8_t { scalar = 0, avx2 = 1, avx512 = 2 };
inline constexpr std::size_t isa_count = 3;

std::string_view to_string(Isa isa);
/// The instruction set of this name ("scalar", "avx2", "avx512"); nothing for any other text.
std::optional<Isa> isa_from_string(std::string_view name);

/// True if this build has the code and both the processor and the operating system support it.
bool isa_supported(Isa isa);
/// The widest supported one.
Isa best_isa();

/// What the operations of this process use: best_isa() until set_isa is called.
Isa current_isa();
/// Chooses for the whole process, from the next call of an operation on. False, and nothing changed, if it is not supported.
bool set_isa(Isa isa);

/// How often operations ran since the process started (or since reset), so that a test can prove which code it went through.
/// One count per call of a public operation, never per row.
struct KernelCounts {
  std::array<std::uint64_t, isa_count> calls{};  ///< operations, by instruction set
  std::uint64_t gemm = 0;                        ///< matrix products of at least 16 rows
  std::uint64_t gemv = 0;                        ///< matrix products of one row
  std::uint64_t small = 0;                       ///< matrix products of 2 to 15 rows
};
KernelCounts kernel_counts();
void reset_kernel_counts();

/// For operations: counts a call. Relaxed, for any thread.
void count_call(Isa isa);
/// The same, of a product with `rows` rows of activations.
void count_matmul(Isa isa, std::size_t rows);

}  // namespace spillway::kernels
