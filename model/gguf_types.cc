#include <algorithm>
#include <array>
#include <cctype>

#include "model/gguf.h"

namespace spillway::model {

namespace {

// Ids and block sizes as in ggml. Q2_0 (42) has two layouts under one id, so its size is not decided here.
constexpr TensorType tensor_types[] = {
    {0, "F32", 1, 4},        {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},    {3, "Q4_1", 32, 20},    {6, "Q5_0", 32, 22},
    {7, "Q5_1", 32, 24},     {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},    {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},  {13, "Q5_K", 256, 176},   {14, "Q6_K", 256, 210}, {15, "Q8_K", 256, 292}, {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74}, {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50}, {20, "IQ4_NL", 32, 18}, {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},  {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},       {25, "I16", 1, 2},      {26, "I32", 1, 4},
    {27, "I64", 1, 8},       {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56}, {30, "BF16", 1, 2},     {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},  {39, "MXFP4", 32, 17},    {40, "NVFP4", 64, 36},  {41, "Q1_0", 128, 18},  {42, "Q2_0", 1, 0},
};

constexpr std::array<std::string_view, gguf_types> value_type_names = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                                       "bool", "string", "array", "u64", "i64", "f64"};

constexpr std::array<std::string_view, static_cast<std::size_t>(GgufFault::count)> fault_names = {"open",
                                                                                                  "not_a_file",
                                                                                                  "too_small",
                                                                                                  "map",
                                                                                                  "magic",
                                                                                                  "byte_order",
                                                                                                  "version",
                                                                                                  "truncated",
                                                                                                  "tensor_count",
                                                                                                  "metadata_count",
                                                                                                  "key_length",
                                                                                                  "key_text",
                                                                                                  "key_repeated",
                                                                                                  "value_type",
                                                                                                  "bool_value",
                                                                                                  "string_length",
                                                                                                  "array_type",
                                                                                                  "array_depth",
                                                                                                  "array_length",
                                                                                                  "alignment_type",
                                                                                                  "alignment_value",
                                                                                                  "tensor_name_length",
                                                                                                  "tensor_name_text",
                                                                                                  "tensor_repeated",
                                                                                                  "dims_count",
                                                                                                  "dim_zero",
                                                                                                  "dims_product",
                                                                                                  "row_length",
                                                                                                  "tensor_size",
                                                                                                  "offset_alignment",
                                                                                                  "offset_range",
                                                                                                  "tensor_range",
                                                                                                  "tensor_overlap"};

}  // namespace

std::string_view to_string(GgufType type) {
  const auto index = static_cast<std::size_t>(type);
  return index < value_type_names.size() ? value_type_names[index] : "unknown";
}

std::string_view to_string(GgufFault fault) {
  const auto index = static_cast<std::size_t>(fault);
  return index < fault_names.size() ? fault_names[index] : "unknown";
}

const TensorType* find_tensor_type(std::uint32_t id) {
  for (const TensorType& type : tensor_types) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

const TensorType* find_tensor_type(std::string_view name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  for (const TensorType& type : tensor_types) {
    if (std::equal(name.begin(), name.end(), type.name.begin(), type.name.end(), same)) return &type;
  }
  return nullptr;
}

std::string tensor_type_name(std::uint32_t id) {
  const TensorType* type = find_tensor_type(id);
  return type != nullptr ? std::string(type->name) : "type " + std::to_string(id);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown_max = 64;
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out + (text.size() > shown_max ? "...\"" : "\"");
}

}  // namespace spillway::model
