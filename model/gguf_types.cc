#include <array>

#include "model/gguf.h"

namespace spillway::model {

namespace {

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
                                                                                                  "tensor_overlap",
                                                                                                  "group_size"};

}  // namespace

std::string_view to_string(GgufType type) {
  const auto index = static_cast<std::size_t>(type);
  return index < value_type_names.size() ? value_type_names[index] : "unknown";
}

std::string_view to_string(GgufFault fault) {
  const auto index = static_cast<std::size_t>(fault);
  return index < fault_names.size() ? fault_names[index] : "unknown";
}

std::string GgufTensor::type_name() const {
  return layout != nullptr ? std::string(layout->name) : "type " + std::to_string(type);
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
