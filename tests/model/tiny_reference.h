#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"

namespace spillway::model::test {

/// A tiny model of tests/model/reference and what Hugging Face transformers computes with it. `document` says how to make the
/// file and may be changed before that.
struct TinyReference {
  boost::json::object document;
  std::vector<core::TokenId> tokens;          ///< prompt
  std::vector<std::uint32_t> positions;       ///< ascending
  std::vector<std::vector<double>> logits{};  ///< [positions][vocabulary]
};

/// The names of the stored references, such as "qwen2".
std::vector<std::string> reference_names();
TinyReference read_reference(const std::string& name);

/// The GGUF file of a document: metadata as it says, tensors from its counters of random numbers.
core::ByteVector reference_file(const boost::json::object& document);
/// Digest of the values of all its tensors, as the document has it under "digest".
std::string reference_digest(const boost::json::object& document);
/// Writes it to a file of its own below the system's folder for temporary files and returns the path, which the caller removes.
/// Aborts when the disk refuses.
std::string write_reference(const boost::json::object& document);

}  // namespace spillway::model::test
