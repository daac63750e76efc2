#pragma once

namespace spillway::bench {

/// Bytes a second that `threads` threads together read from memory: each sums its own part of a buffer far larger than any cache.
double read_bandwidth(unsigned threads);
/// Multiply-adds (counted as two operations) of int8 a second, from registers: vpdpbusd where the processor has it, else
/// AVX2's three instructions for it, else 0.
double int8_peak(unsigned threads);
/// The same of f32 fma; 0 without AVX2.
double fp32_peak(unsigned threads);

}  // namespace spillway::bench
