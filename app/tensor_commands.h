#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "app/commands.h"

/// `spillway models dequantize | convert | random`: what the bytes of tensors mean, and other bytes for them.
namespace spillway::app {

/// Raw blocks of a tensor type on `in`, their values as little-endian f32 on `out`. The exit status: 0, 2 after a message for a
/// type that cannot be decoded, 1 for bytes that are no whole blocks.
int models_dequantize(const std::string& type, std::istream& in, std::ostream& out, std::ostream& errors);

/// Writes the model `from` (path or known name) to the path `to` with its matrices as `type`, by plain rounding. What was done goes to
/// `errors`, with `json` as one value to `out`: {path, type, tensors, kept, bytes_before, bytes_after}.
int models_convert(const std::string& from, const std::string& to, const std::string& type, bool json, std::ostream& out,
                   std::ostream& errors);

/// Writes a file of the shape of a known model with random weights to the path `to`: {path, like, type, seed, tensors, kept, bytes}.
int models_random(const std::string& like, const std::string& type, std::uint64_t seed, const std::string& to, bool json, std::ostream& out,
                  std::ostream& errors);

/// Puts these under `spillway models`.
void add_models_tensors(CLI::App& models, Run& run);

}  // namespace spillway::app
