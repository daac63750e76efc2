#pragma once

#include <cstddef>

/// The order of packed weights. A panel is 16 rows: one lane of a 512-bit register per row, so that a product needs no sum across
/// lanes. Panels follow one another, and within a panel k runs from first to last, so a product reads memory straight through.
/// Rows beyond the matrix are zeros. A panel is a multiple of 64 bytes and starts at one.
///
///   F32        for each k: 16 floats, one per row.
///   F16, BF16  for each k: 16 halves; the panel is padded to 64 bytes.
///
/// All others: blocks of some groups of 32 along k, each a header with the scales of 16 rows, then the codes of group after group.
/// The last block leaves out the codes of groups that the row does not have, and keeps its whole header.
///
/// Codes lie in planes: a code of 6 bits is a plane of its low 4 and one of its high 2 bits, one of 5 bits is 4 + 1, of 3 bits
/// 2 + 1; those of 8, 4, 2 and 1 are one plane. A group has 8 quads of 4 codes. A plane of b bits is b vectors of 64 bytes, in
/// which lane r (4 bytes) belongs to row r, and bits [s, s + b) of its byte i to code i of a quad:
///   8 bits  vector q has quad q
///   4 bits  vector j has quad j at s = 0 and quad j + 4 at s = 4
///   2 bits  vector v has quads 2v, 2v + 4, 2v + 1, 2v + 5 at s = 0, 2, 4, 6
///   1 bit   quad q at s = q
/// So the quads j and j + 4, j in [0, 4), always come from the same vectors, and one is of the first 16 codes, one of the last.
///
/// Headers: rows of 16 halves (f16) and rows of 16 bytes, entry r for row r.
///   type           groups  header                                                        codes           bytes for 32 (file)
///   Q4_0, IQ4_NL   2       d of each                                                     4 bits          18 (18)
///   Q4_1           1       d, m                                                          4 bits          20 (20)
///   Q5_0           2       d of each                                                     5 bits          22 (22)
///   Q5_1           1       d, m                                                          5 bits          24 (24)
///   Q8_0           2       d of each                                                     code + 128      34 (34)
///   Q2_K           8       d, dmin, 16 byte rows as in the file: scale low, minimum high 2 bits          10.5 (10.5)
///   Q3_K           16      2 d, 32 byte rows: int8 scales of 16 codes                    3 bits          14.25 (13.75)
///   Q4_K           8       d, dmin, 8 byte rows of scales, 8 of minimums                 4 bits          18.5 (18)
///   Q5_K           8       as Q4_K                                                       5 bits          22.5 (22)
///   Q6_K           16      2 d, 32 byte rows: int8 scales of 16 codes                    6 bits          26.25 (26.25)
///   TQ1_0, TQ2_0   16      2 d                                                           2 bits          8.25 (6.75, 8.25)
///   MXFP4          4       byte rows: the exponent of each                               4 bits          17 (17)
///   NVFP4          2       4 byte rows: E4M3 scales of 16 codes, without sign, NaN as 0  4 bits          18 (18)
///   Q1_0           8       2 d                                                           1 bit           4.5 (4.5)
///   Q2_0           4       2 d                                                           2 bits          9 (9)
///   Q2_0_G128      8       2 d                                                           2 bits          8.5 (8.5)
/// TQ1_0 is expanded to two bits, as its base-3 digits would cost more to decode than to read; the sub-scales of six bits of Q3_K,
/// Q4_K and Q5_K to bytes.
namespace spillway::kernels::layout {

inline constexpr std::size_t panel_rows = 16;
inline constexpr std::size_t vector_bytes = 64;
inline constexpr std::size_t half_row_bytes = 32;  ///< of a header
inline constexpr std::size_t byte_row_bytes = 16;
/// Where byte rows begin in a header that has halves too.
inline constexpr std::size_t byte_rows_offset = 64;

struct BlockLayout {
  std::size_t groups;        ///< of 32 codes, in a block of a panel
  std::size_t scale_groups;  ///< of them, that are one block of the file and share its scales
  std::size_t header_bytes;
  std::size_t group_bytes;  ///< codes of one group
};

inline constexpr BlockLayout q4_0{2, 1, 64, 256};  ///< and IQ4_NL
inline constexpr BlockLayout q4_1{1, 1, 64, 256};
inline constexpr BlockLayout q5_0{2, 1, 64, 320};
inline constexpr BlockLayout q5_1{1, 1, 64, 320};
inline constexpr BlockLayout q8_0{2, 1, 64, 512};
inline constexpr BlockLayout q2_k{8, 8, 64 + 256, 128};
inline constexpr BlockLayout q3_k{16, 8, 64 + 512, 192};
inline constexpr BlockLayout q4_k{8, 8, 64 + 256, 256};
inline constexpr BlockLayout q5_k{8, 8, 64 + 256, 320};
inline constexpr BlockLayout q6_k{16, 8, 64 + 512, 384};
inline constexpr BlockLayout tq2_0{16, 8, 64, 128};  ///< and TQ1_0
inline constexpr BlockLayout mxfp4{4, 1, 64, 256};
inline constexpr BlockLayout nvfp4{2, 2, 64, 256};
inline constexpr BlockLayout q1_0{8, 4, 64, 64};
inline constexpr BlockLayout q2_0{4, 2, 64, 128};
inline constexpr BlockLayout q2_0_g128{8, 4, 64, 128};

/// Minimum rows of Q4_K and Q5_K, behind the scales.
inline constexpr std::size_t k_min_offset = byte_rows_offset + 8 * byte_row_bytes;

}  // namespace spillway::kernels::layout
