#include "kernels/dequantize.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <string>

#include "kernels/float16.h"

namespace spillway::kernels {

namespace {

unsigned byte_at(const std::byte* block, std::size_t at) {
  return std::to_integer<unsigned>(block[at]);
}

int int8_at(const std::byte* block, std::size_t at) {
  return static_cast<std::int8_t>(std::to_integer<std::uint8_t>(block[at]));
}

float f16_at(const std::byte* block, std::size_t at) {
  return f16_to_f32(static_cast<std::uint16_t>(byte_at(block, at) | byte_at(block, at + 1) << 8));
}

float as_float(int value) {
  return static_cast<float>(value);
}
float as_float(unsigned value) {
  return static_cast<float>(value);
}

// --- one element a block -------------------------------------------------------------------------------------------------

void decode_f32(const std::byte* block, float* values) {
  std::memcpy(values, block, sizeof(float));
}

void decode_f16(const std::byte* block, float* values) {
  *values = f16_at(block, 0);
}

/// BF16 is the upper half of an f32.
void decode_bf16(const std::byte* block, float* values) {
  *values = std::bit_cast<float>(byte_at(block, 0) << 16 | byte_at(block, 1) << 24);
}

// --- 32 elements a block: byte j of qs has element j low and element j + 16 high --------------------------------------------

/// Calls `value(code)` for the nibbles of 16 bytes.
template <class Value>
void each_nibble(const std::byte* qs, float* values, Value&& value) {
  for (std::size_t j = 0; j < 16; ++j) {
    values[j] = value(byte_at(qs, j) & 15, j);
    values[j + 16] = value(byte_at(qs, j) >> 4, j + 16);
  }
}

/// d, qs[16]: d (q - 8)
void decode_q4_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  each_nibble(block + 2, values, [d](unsigned q, std::size_t) { return d * as_float(static_cast<int>(q) - 8); });
}

/// d, m, qs[16]: d q + m
void decode_q4_1(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  const float m = f16_at(block, 2);
  each_nibble(block + 4, values, [d, m](unsigned q, std::size_t) { return d * as_float(q) + m; });
}

/// Fifth bit of element i, from the 32 bits at `qh`.
unsigned high_bit(const std::byte* qh, std::size_t i) {
  return (byte_at(qh, i / 8) >> (i % 8) & 1) << 4;
}

/// d, qh[4], qs[16]: d (q - 16)
void decode_q5_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  each_nibble(block + 6, values,
              [=](unsigned q, std::size_t i) { return d * as_float(static_cast<int>(q | high_bit(block + 2, i)) - 16); });
}

/// d, m, qh[4], qs[16]: d q + m
void decode_q5_1(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  const float m = f16_at(block, 2);
  each_nibble(block + 8, values, [=](unsigned q, std::size_t i) { return d * as_float(q | high_bit(block + 4, i)) + m; });
}

/// d, int8 qs[32]: d q
void decode_q8_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  for (std::size_t i = 0; i < 32; ++i) values[i] = d * as_float(int8_at(block, 2 + i));
}

/// d, qs[16]: d T[q], the codes of a table that is finer near zero
void decode_iq4_nl(const std::byte* block, float* values) {
  static constexpr int table[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  const float d = f16_at(block, 0);
  each_nibble(block + 2, values, [d](unsigned q, std::size_t) { return d * as_float(table[q]); });
}

// --- FP4 -----------------------------------------------------------------------------------------------------------------

/// E2M1, doubled. Code 8 would be -0 and is +0.
constexpr int fp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// e, qs[16]: F[q] 2^(e - 128), the exponent being that of E8M0 halved, as F is doubled
void decode_mxfp4(const std::byte* block, float* values) {
  const unsigned e = byte_at(block, 0);
  const float d = std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23);
  each_nibble(block + 1, values, [d](unsigned q, std::size_t) { return d * as_float(fp4[q]); });
}

/// Half of an unsigned E4M3 (bias 7); its NaN, 0x7f, counts as 0.
float half_ue4m3(unsigned code) {
  const unsigned exponent = code >> 3 & 15;
  const unsigned mantissa = code & 7;
  if (code == 0 || code == 0x7f) return 0.0F;
  if (exponent == 0) return as_float(mantissa) * 0x1p-10F;
  return std::bit_cast<float>((exponent + 127 - 8) << 23 | mantissa << 20);
}

/// d[4], qs[32]: 16 elements to a scale; byte j of a group has element j low and j + 8 high. F[q] d / 2; a tensor's own factor
/// stands in another tensor.
void decode_nvfp4(const std::byte* block, float* values) {
  for (std::size_t group = 0; group < 4; ++group) {
    const float d = half_ue4m3(byte_at(block, group));
    for (std::size_t j = 0; j < 8; ++j) {
      const unsigned codes = byte_at(block, 4 + 8 * group + j);
      values[16 * group + j] = d * as_float(fp4[codes & 15]);
      values[16 * group + j + 8] = d * as_float(fp4[codes >> 4]);
    }
  }
}

// --- 256 elements a block ------------------------------------------------------------------------------------------------

/// scales[16] (scale low, min high), qs[64], d, dmin: (d sc) q - (dmin m), 16 elements to a scale
void decode_q2_k(const std::byte* block, float* values) {
  const float d = f16_at(block, 80);
  const float dmin = f16_at(block, 82);
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned scale = byte_at(block, i / 16);
    const unsigned q = byte_at(block, 16 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
    values[i] = d * as_float(scale & 15) * as_float(q) - dmin * as_float(scale >> 4);
  }
}

/// hmask[32], qs[64], scales[12], d: (d (sc - 32)) (q - 4), the third bit of q in hmask. Scale s has its low four bits in the
/// nibbles of the first eight bytes, its high two in the last four.
void decode_q3_k(const std::byte* block, float* values) {
  const float d = f16_at(block, 108);
  const std::byte* scales = block + 96;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t s = i / 16;
    const unsigned low = byte_at(scales, s % 8) >> (s / 8 * 4) & 15;
    const unsigned high = byte_at(scales, 8 + s % 4) >> (s / 4 * 2) & 3;
    const unsigned q = byte_at(block, 32 + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
    const unsigned third = byte_at(block, i % 32) >> (i / 32) & 1;
    values[i] = d * as_float(static_cast<int>(low | high << 4) - 32) * as_float(static_cast<int>(q | third << 2) - 4);
  }
}

struct ScaleMin {
  float scale;
  float min;
};

/// Scale and minimum of sub-block j of 8, six bits each in twelve bytes.
ScaleMin scale_min(const std::byte* s, std::size_t j) {
  if (j < 4) return {as_float(byte_at(s, j) & 63), as_float(byte_at(s, j + 4) & 63)};
  return {as_float((byte_at(s, j + 4) & 15) | byte_at(s, j - 4) >> 6 << 4), as_float(byte_at(s, j + 4) >> 4 | byte_at(s, j) >> 6 << 4)};
}

/// d, dmin, scales[12], qs[128]: (d sc) q - (dmin m), 32 elements to a scale
void decode_q4_k(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  const float dmin = f16_at(block, 2);
  for (std::size_t i = 0; i < 256; ++i) {
    const auto [scale, min] = scale_min(block + 4, i / 32);
    const unsigned q = byte_at(block, 16 + i / 64 * 32 + i % 32) >> (i % 64 / 32 * 4) & 15;
    values[i] = d * scale * as_float(q) - dmin * min;
  }
}

/// d, dmin, scales[12], qh[32], qs[128]: as Q4_K with a fifth bit
void decode_q5_k(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  const float dmin = f16_at(block, 2);
  for (std::size_t i = 0; i < 256; ++i) {
    const auto [scale, min] = scale_min(block + 4, i / 32);
    const unsigned low = byte_at(block, 48 + i / 64 * 32 + i % 32) >> (i % 64 / 32 * 4) & 15;
    const unsigned fifth = byte_at(block, 16 + i % 32) >> (i / 32) & 1;
    values[i] = d * scale * as_float(low | fifth << 4) - dmin * min;
  }
}

/// ql[128], qh[64], int8 scales[16], d: (d sc) (q - 32), 16 elements to a scale
void decode_q6_k(const std::byte* block, float* values) {
  const float d = f16_at(block, 208);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t half = i / 128;
    const unsigned low = byte_at(block, 64 * half + i % 64) >> (i % 128 / 64 * 4) & 15;
    const unsigned high = byte_at(block, 128 + 32 * half + i % 32) >> (i % 128 / 32 * 2) & 3;
    values[i] = d * as_float(int8_at(block, 192 + i / 16)) * as_float(static_cast<int>(low | high << 4) - 32);
  }
}

/// Digit n of a byte that holds five base-3 digits as a fraction.
int trit(unsigned byte, std::size_t n) {
  static constexpr unsigned power[5] = {1, 3, 9, 27, 81};
  return static_cast<int>((byte * power[n] & 255) * 3 >> 8);
}

/// qs[48], qh[4], d: d (t - 1)
void decode_tq1_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 52);
  const auto value = [d](unsigned byte, std::size_t n) { return d * as_float(trit(byte, n) - 1); };
  for (std::size_t i = 0; i < 160; ++i) values[i] = value(byte_at(block, i % 32), i / 32);
  for (std::size_t i = 0; i < 80; ++i) values[160 + i] = value(byte_at(block, 32 + i % 16), i / 16);
  for (std::size_t i = 0; i < 16; ++i) values[240 + i] = value(byte_at(block, 48 + i % 4), i / 4);
}

/// qs[64], d: d (q - 1)
void decode_tq2_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 64);
  for (std::size_t i = 0; i < 256; ++i) {
    const unsigned q = byte_at(block, i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
    values[i] = d * as_float(static_cast<int>(q) - 1);
  }
}

// --- one and two bits ----------------------------------------------------------------------------------------------------

/// d, 128 bits: +d or -d
void decode_q1_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  for (std::size_t i = 0; i < 128; ++i) values[i] = (byte_at(block, 2 + i / 8) >> (i % 8) & 1) != 0 ? d : -d;
}

/// d, two bits an element: d (q - 1)
template <std::size_t elements>
void decode_q2_0(const std::byte* block, float* values) {
  const float d = f16_at(block, 0);
  for (std::size_t i = 0; i < elements; ++i) {
    const unsigned q = byte_at(block, 2 + i / 4) >> (i % 4 * 2) & 3;
    values[i] = d * as_float(static_cast<int>(q) - 1);
  }
}

constexpr BlockType types[] = {
    {0, "F32", 1, 4, decode_f32},
    {1, "F16", 1, 2, decode_f16},
    {2, "Q4_0", 32, 18, decode_q4_0},
    {3, "Q4_1", 32, 20, decode_q4_1},
    {6, "Q5_0", 32, 22, decode_q5_0},
    {7, "Q5_1", 32, 24, decode_q5_1},
    {8, "Q8_0", 32, 34, decode_q8_0},
    {10, "Q2_K", 256, 84, decode_q2_k},
    {11, "Q3_K", 256, 110, decode_q3_k},
    {12, "Q4_K", 256, 144, decode_q4_k},
    {13, "Q5_K", 256, 176, decode_q5_k},
    {14, "Q6_K", 256, 210, decode_q6_k},
    {20, "IQ4_NL", 32, 18, decode_iq4_nl},
    {30, "BF16", 1, 2, decode_bf16},
    {34, "TQ1_0", 256, 54, decode_tq1_0},
    {35, "TQ2_0", 256, 66, decode_tq2_0},
    {39, "MXFP4", 32, 17, decode_mxfp4},
    {40, "NVFP4", 64, 36, decode_nvfp4},
    {41, "Q1_0", 128, 18, decode_q1_0},
    {42, "Q2_0", 64, 18, decode_q2_0<64>},
    {42, "Q2_0_G128", 128, 34, decode_q2_0<128>},
    // Known by size, so that files with them can be looked into.
    {9, "Q8_1", 32, 36},
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
};

}  // namespace

std::span<const BlockType> block_types() {
  return types;
}

const BlockType* find_block_type(std::uint32_t id) {
  for (const BlockType& type : types) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

const BlockType* find_block_type(std::string_view name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  for (const BlockType& type : types) {
    if (std::equal(name.begin(), name.end(), type.name.begin(), type.name.end(), same)) return &type;
  }
  return nullptr;
}

std::string decodable_types() {
  std::string names;
  for (const BlockType& type : types) {
    if (type.decode != nullptr) names.append(names.empty() ? "" : ", ").append(type.name);
  }
  return names;
}

core::Result<void> dequantize(const BlockType& type, core::Bytes blocks, std::span<float> values) {
  if (type.decode == nullptr)
    return core::fail(core::Errc::unsupported, "type " + std::string(type.name) + " cannot be decoded; want one of " + decodable_types());
  const std::size_t count = blocks.size() / type.bytes;
  if (blocks.size() % type.bytes != 0 || values.size() != count * type.elements) {
    return core::fail(core::Errc::bad_argument, std::to_string(blocks.size()) + " bytes of " + std::string(type.name) + " for " +
                                                    std::to_string(values.size()) + " values: want whole blocks of " +
                                                    std::to_string(type.bytes) + " bytes, " + std::to_string(type.elements) +
                                                    " values each");
  }
  for (std::size_t i = 0; i < count; ++i) type.decode(blocks.data() + i * type.bytes, values.data() + i * type.elements);
  return {};
}

}  // namespace spillway::kernels
