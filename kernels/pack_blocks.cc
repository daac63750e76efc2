#include "kernels/pack_blocks.h"

#include <bit>
#include <cstring>

#include "kernels/float16.h"

namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t quads = 8;  // of a group
constexpr std::size_t rows_max = 16;
constexpr std::size_t none = ~std::size_t{0};

unsigned byte_at(const std::byte* block, std::size_t at) {
  return std::to_integer<unsigned>(block[at]);
}

// --- the codes of a group of a file's block -----------------------------------------------------------------------------

using Codes = std::uint8_t[group_elements];
using ReadCodes = void (*)(const std::byte* block, std::size_t group, Codes& codes);

/// 16 bytes at `at`: byte j has code j low and code j + 16 high.
template <std::size_t at>
void read_nibbles(const std::byte* block, std::size_t, Codes& codes) {
  for (std::size_t j = 0; j < 16; ++j) {
    codes[j] = static_cast<std::uint8_t>(byte_at(block, at + j) & 15);
    codes[j + 16] = static_cast<std::uint8_t>(byte_at(block, at + j) >> 4);
  }
}

/// The same behind 4 bytes of fifth bits.
template <std::size_t at>
void read_fives(const std::byte* block, std::size_t group, Codes& codes) {
  read_nibbles<at + 4>(block, group, codes);
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(codes[i] | (byte_at(block, at + i / 8) >> (i % 8) & 1) << 4);
}

void read_q8_0(const std::byte* block, std::size_t, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i) codes[i] = static_cast<std::uint8_t>(byte_at(block, 2 + i) ^ 0x80U);
}

/// 64 bytes at `at`: two bits of each code, four groups to 32 bytes.
template <std::size_t at>
void read_crumbs(const std::byte* block, std::size_t group, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(byte_at(block, at + group / 4 * 32 + i) >> (group % 4 * 2) & 3);
}

/// 32 bytes at `at`: bit `group` of byte i, to be bit `to` of code i.
void add_bits(const std::byte* block, std::size_t at, std::size_t group, unsigned to, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(codes[i] | (byte_at(block, at + i) >> group & 1) << to);
}

void read_q3_k(const std::byte* block, std::size_t group, Codes& codes) {
  read_crumbs<32>(block, group, codes);
  add_bits(block, 0, group, 2, codes);
}

/// 128 bytes at `at`: two groups to 32 bytes, the first low.
template <std::size_t at>
void read_k_nibbles(const std::byte* block, std::size_t group, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(byte_at(block, at + group / 2 * 32 + i) >> (group % 2 * 4) & 15);
}

void read_q5_k(const std::byte* block, std::size_t group, Codes& codes) {
  read_k_nibbles<48>(block, group, codes);
  add_bits(block, 16, group, 4, codes);
}

void read_q6_k(const std::byte* block, std::size_t group, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i) {
    const unsigned low = byte_at(block, group / 4 * 64 + group % 2 * 32 + i) >> (group % 4 / 2 * 4) & 15;
    const unsigned high = byte_at(block, 128 + group / 4 * 32 + i) >> (group % 4 * 2) & 3;
    codes[i] = static_cast<std::uint8_t>(low | high << 4);
  }
}

/// Digit n of a byte that holds five base-3 digits as a fraction.
unsigned trit(unsigned byte, std::size_t n) {
  static constexpr unsigned power[5] = {1, 3, 9, 27, 81};
  return (byte * power[n] & 255) * 3 >> 8;
}

void read_tq1_0(const std::byte* block, std::size_t group, Codes& codes) {
  for (std::size_t at = 0; at < group_elements; ++at) {
    const auto i = group * group_elements + at;
    const auto from = i < 160 ? i % 32 : i < 240 ? 32 + (i - 160) % 16 : 48 + (i - 240) % 4;
    const auto digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
    codes[at] = static_cast<std::uint8_t>(trit(byte_at(block, from), digit));
  }
}

void read_nvfp4(const std::byte* block, std::size_t group, Codes& codes) {
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(byte_at(block, 4 + group * 16 + i / 16 * 8 + i % 8) >> (i % 16 / 8 * 4) & 15);
}

/// `bits` bits to a code, behind d.
template <std::size_t bits>
void read_packed(const std::byte* block, std::size_t group, Codes& codes) {
  constexpr std::size_t per_byte = 8 / bits;
  for (std::size_t i = 0; i < group_elements; ++i)
    codes[i] = static_cast<std::uint8_t>(byte_at(block, 2 + (group * group_elements + i) / per_byte) >> (i % per_byte * bits) &
                                         ((1U << bits) - 1));
}

// --- the byte rows of a file's block ------------------------------------------------------------------------------------

using ByteRows = std::uint8_t[rows_max];
using ReadRows = void (*)(const std::byte* block, ByteRows& rows);

template <std::size_t at, std::size_t count>
void copy_rows(const std::byte* block, ByteRows& rows) {
  std::memcpy(rows, block + at, count);
}

/// Six bits to a scale, those above the fourth taken from what lies below: int8 less 32.
void read_q3_k_rows(const std::byte* block, ByteRows& rows) {
  for (std::size_t s = 0; s < 16; ++s) {
    const unsigned low = byte_at(block, 96 + s % 8) >> (s / 8 * 4) & 15;
    const unsigned high = byte_at(block, 104 + s % 4) >> (s / 4 * 2) & 3;
    rows[s] = static_cast<std::uint8_t>((low | high << 4) - 32);
  }
}

/// 8 scales, then 8 minimums, six bits each in 12 bytes.
void read_k_rows(const std::byte* block, ByteRows& rows) {
  for (std::size_t j = 0; j < 4; ++j) {
    const auto a = byte_at(block, 4 + j);
    const auto b = byte_at(block, 8 + j);
    const auto c = byte_at(block, 12 + j);
    rows[j] = static_cast<std::uint8_t>(a & 63);
    rows[j + 4] = static_cast<std::uint8_t>((c & 15) | a >> 6 << 4);
    rows[j + 8] = static_cast<std::uint8_t>(b & 63);
    rows[j + 12] = static_cast<std::uint8_t>(c >> 4 | b >> 6 << 4);
  }
}

void read_nvfp4_rows(const std::byte* block, ByteRows& rows) {
  for (std::size_t s = 0; s < 4; ++s) rows[s] = static_cast<std::uint8_t>(byte_at(block, s) == 0x7f ? 0 : byte_at(block, s) & 0x7f);
}

// --- the types ----------------------------------------------------------------------------------------------------------

/// What the one scale that is no half means.
enum class Exponent : std::uint8_t { no, e8m0, e4m3 };

struct Format {
  PackedFormat packed;
  unsigned planes[2];        ///< bits of each
  int zero;                  ///< of the codes
  const std::int8_t* table;  ///< what a code means, if it is not code - zero
  ReadCodes read;
  std::size_t d_at;  ///< in a block of the file
  std::size_t m_at = none;
  std::size_t rows = 0;  ///< byte rows of a block of the file
  ReadRows read_rows = nullptr;
  Exponent exponent = Exponent::no;
  float m_sign = 1;
};

constexpr std::int8_t iq4_nl_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr std::int8_t fp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
constexpr std::int8_t sign_values[2] = {-1, 1};

constexpr auto by_group = ScaleRule::group;
constexpr auto by_halves = ScaleRule::half_groups;
constexpr auto by_numbers = ScaleRule::whole_numbers;

constexpr Format formats[weight_type_count - 3] = {
    {{q4_0, by_group, false}, {4, 0}, 8, nullptr, read_nibbles<2>, 0},
    {{q4_1, by_group, true}, {4, 0}, 0, nullptr, read_nibbles<4>, 0, 2},
    {{q5_0, by_group, false}, {4, 1}, 16, nullptr, read_fives<2>, 0},
    {{q5_1, by_group, true}, {4, 1}, 0, nullptr, read_fives<4>, 0, 2},
    {{q8_0, by_group, false}, {8, 0}, 128, nullptr, read_q8_0, 0},
    {{q2_k, by_numbers, true}, {2, 0}, 0, nullptr, read_crumbs<16>, 80, 82, 16, copy_rows<0, 16>, Exponent::no, -1},
    {{q3_k, by_numbers, false}, {2, 1}, 4, nullptr, read_q3_k, 108, none, 16, read_q3_k_rows},
    {{q4_k, by_group, true}, {4, 0}, 0, nullptr, read_k_nibbles<16>, 0, 2, 16, read_k_rows, Exponent::no, -1},
    {{q5_k, by_group, true}, {4, 1}, 0, nullptr, read_q5_k, 0, 2, 16, read_k_rows, Exponent::no, -1},
    {{q6_k, by_numbers, false}, {4, 2}, 32, nullptr, read_q6_k, 208, none, 16, copy_rows<192, 16>},
    {{q4_0, by_group, false}, {4, 0}, 0, iq4_nl_values, read_nibbles<2>, 0},
    {{tq2_0, by_group, false}, {2, 0}, 1, nullptr, read_tq1_0, 52},
    {{tq2_0, by_group, false}, {2, 0}, 1, nullptr, read_crumbs<0>, 64},
    {{mxfp4, by_group, false}, {4, 0}, 0, fp4_values, read_nibbles<1>, none, none, 1, copy_rows<0, 1>, Exponent::e8m0},
    {{nvfp4, by_halves, false}, {4, 0}, 0, fp4_values, read_nvfp4, none, none, 4, read_nvfp4_rows, Exponent::e4m3},
    {{q1_0, by_group, false}, {1, 0}, 0, sign_values, read_packed<1>, 0},
    {{q2_0, by_group, false}, {2, 0}, 1, nullptr, read_packed<2>, 0},
    {{q2_0_g128, by_group, false}, {2, 0}, 1, nullptr, read_packed<2>, 0},
};

const Format& format_of(WeightType type) {
  return formats[static_cast<std::size_t>(type) - static_cast<std::size_t>(WeightType::q4_0)];
}

// --- the planes of a panel ----------------------------------------------------------------------------------------------

/// Where a plane of `bits` bits has quad q: byte of the vector, and how far up in each byte.
struct Place {
  std::size_t vector;
  unsigned shift;
};
Place place(unsigned bits, std::size_t q) {
  const auto half = static_cast<unsigned>(q / 4);
  switch (bits) {
    case 8: return {q * vector_bytes, 0};
    case 4: return {q % 4 * vector_bytes, 4 * half};
    case 2: return {q % 4 / 2 * vector_bytes, static_cast<unsigned>(q % 2) * 4 + 2 * half};
    default: return {0, static_cast<unsigned>(q)};
  }
}

/// `bits` ones in each of four bytes.
std::uint32_t mask_of(unsigned bits) {
  return 0x01010101U * ((1U << bits) - 1);
}

std::uint32_t load_u32(const void* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void put_codes(const Format& format, const Codes& codes, std::size_t lane, std::byte* group) {
  unsigned below = 0;
  for (const unsigned bits : format.planes) {
    for (std::size_t q = 0; bits != 0 && q < quads; ++q) {
      const auto [vector, shift] = place(bits, q);
      auto* const to = group + vector + lane * 4;
      const auto word = load_u32(to) | ((load_u32(codes + 4 * q) >> below) & mask_of(bits)) << shift;
      std::memcpy(to, &word, sizeof word);
    }
    below += bits;
    group += bits * vector_bytes;
  }
}

void get_codes(const Format& format, const std::byte* group, std::size_t lane, Codes& codes) {
  std::uint32_t words[quads] = {};
  unsigned below = 0;
  for (const unsigned bits : format.planes) {
    for (std::size_t q = 0; bits != 0 && q < quads; ++q) {
      const auto [vector, shift] = place(bits, q);
      words[q] |= ((load_u32(group + vector + lane * 4) >> shift) & mask_of(bits)) << below;
    }
    below += bits;
    group += bits * vector_bytes;
  }
  std::memcpy(codes, words, sizeof words);
}

// --- headers ------------------------------------------------------------------------------------------------------------

std::uint16_t half_at(const std::byte* from) {
  return static_cast<std::uint16_t>(byte_at(from, 0) | byte_at(from, 1) << 8);
}

bool finite(std::uint16_t half) {
  return (half & 0x7c00U) != 0x7c00U;
}

/// 2^(e - 128), to the least of f32.
float e8m0_half(unsigned e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1) << 23);
}

/// Half of an unsigned E4M3: as an f16 with the same bits it would be 2^7 times less.
float e4m3_half(unsigned code) {
  return f16_to_f32(static_cast<std::uint16_t>(code << 7)) * 128.0F;
}

/// Of E8M0, what makes no element of a group infinite: 12 times it fits an f32.
constexpr unsigned e8m0_max = 252;

/// The header's part of block `index` of the file within a block of the panel.
bool put_scales(const Format& format, const std::byte* block, std::size_t index, std::size_t lane, std::byte* header) {
  bool good = true;
  for (const auto at : {format.d_at, format.m_at}) {
    if (at == none) continue;
    good = good && finite(half_at(block + at));
    std::memcpy(header + (at == format.d_at ? index : 1) * half_row_bytes + lane * 2, block + at, 2);
  }
  if (format.rows == 0) return good;
  ByteRows rows;
  format.read_rows(block, rows);
  if (format.exponent == Exponent::e8m0) good = rows[0] <= e8m0_max;
  header += (format.d_at == none ? 0 : byte_rows_offset) + index * format.rows * byte_row_bytes + lane;
  for (std::size_t row = 0; row < format.rows; ++row) header[row * byte_row_bytes] = static_cast<std::byte>(rows[row]);
  return good;
}

/// Scales of group `index` of a panel's block.
void get_scales(WeightType type, const Format& format, const std::byte* header, std::size_t index, std::size_t lane, UnpackedGroup& out) {
  const auto byte_row = [&](std::size_t offset, std::size_t row) { return byte_at(header, offset + row * byte_row_bytes + lane); };
  const auto half_row = [&](std::size_t row) { return f16_to_f32(half_at(header + row * half_row_bytes + lane * 2)); };
  out.scale[0] = out.scale[1] = out.min[0] = out.min[1] = 1;
  out.m = format.m_at == none ? 0.0F : format.m_sign * half_row(1);
  if (format.exponent == Exponent::e8m0) {
    out.d[0] = out.d[1] = e8m0_half(byte_row(0, index));
    return;
  }
  if (format.exponent == Exponent::e4m3) {
    for (std::size_t half = 0; half < 2; ++half) out.d[half] = e4m3_half(byte_row(0, 2 * index + half));
    return;
  }
  out.d[0] = out.d[1] = half_row(index / format.packed.layout.scale_groups);
  if (format.rows == 0) return;
  for (std::size_t half = 0; half < 2; ++half) {
    if (format.packed.rule == ScaleRule::group) {
      out.scale[half] = static_cast<std::int32_t>(byte_row(byte_rows_offset, index));
      out.min[half] = static_cast<std::int32_t>(byte_row(k_min_offset, index));
    } else {
      const auto number = byte_row(byte_rows_offset, 2 * index + half);
      out.scale[half] = type == WeightType::q2_k ? static_cast<std::int32_t>(number & 15) : static_cast<std::int8_t>(number);
      out.min[half] = static_cast<std::int32_t>(number >> 4);
    }
  }
}

std::size_t block_bytes(const BlockLayout& layout) {
  return layout.header_bytes + layout.groups * layout.group_bytes;
}

}  // namespace

const PackedFormat& packed_format(WeightType type) {
  return format_of(type).packed;
}

std::size_t panel_bytes(const BlockLayout& layout, std::size_t k) {
  const auto groups = k / group_elements;
  const auto rest = groups % layout.groups;
  return groups / layout.groups * block_bytes(layout) + (rest == 0 ? 0 : layout.header_bytes + rest * layout.group_bytes);
}

bool pack_quantized_row(WeightType type, const std::byte* row, std::size_t k, std::size_t lane, std::byte* panel) {
  const auto& format = format_of(type);
  const auto& to = format.packed.layout;
  const auto file_block_bytes = block_type(type).bytes;
  bool good = true;
  Codes codes;
  for (std::size_t group = 0; group < k / group_elements; ++group) {
    auto* const block = panel + group / to.groups * block_bytes(to);
    const auto index = group % to.groups;
    const auto* const from = row + group / to.scale_groups * file_block_bytes;
    if (index % to.scale_groups == 0) good = put_scales(format, from, index / to.scale_groups, lane, block) && good;
    format.read(from, index % to.scale_groups, codes);
    put_codes(format, codes, lane, block + to.header_bytes + index * to.group_bytes);
  }
  return good;
}

void unpack_group(WeightType type, const std::byte* panel, std::size_t group, std::size_t lane, UnpackedGroup& out) {
  const auto& format = format_of(type);
  const auto& from = format.packed.layout;
  const auto* const block = panel + group / from.groups * block_bytes(from);
  const auto index = group % from.groups;
  get_scales(type, format, block, index, lane, out);
  Codes codes;
  get_codes(format, block + from.header_bytes + index * from.group_bytes, lane, codes);
  for (std::size_t i = 0; i < group_elements; ++i)
    out.code[i] = static_cast<std::int16_t>(format.table != nullptr ? format.table[codes[i]] : codes[i] - format.zero);
}

}  // namespace spillway::kernels
