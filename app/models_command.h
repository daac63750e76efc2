#pragma once

#include <iosfwd>
#include <string>

/// `spillway models pull | list | inspect | tokenize | detokenize`. Each function does one of them and returns the exit
/// status: 0, or 1 after a message on `errors`. With `json`, `out` gets exactly one JSON value (tokenize and detokenize:
/// one a line).
namespace spillway::app {

struct TokenizeOptions {
  std::string model;     ///< path or known name
  bool special = false;  ///< control tokens written out in the text become their ids
  bool bos = false;      ///< put BOS in front, and EOS behind where the file wants it
};

int models_pull(const std::string& name, bool json, std::ostream& out, std::ostream& errors);
int models_list(bool json, std::ostream& out, std::ostream& errors);
int models_inspect(const std::string& path_or_name, bool json, std::ostream& out, std::ostream& errors);
/// One JSON string a line in, one list of ids a line out.
int models_tokenize(const TokenizeOptions& options, std::istream& in, std::ostream& out, std::ostream& errors);
/// One list of ids a line in, one JSON string a line out: valid UTF-8, control tokens written out.
int models_detokenize(const std::string& model, std::istream& in, std::ostream& out, std::ostream& errors);

/// `add_models_command` of app/commands.h puts these under `spillway models`; others hang theirs below with
/// `app.get_subcommand("models")`.

}  // namespace spillway::app
