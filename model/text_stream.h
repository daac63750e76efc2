#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "model/tokenizer.h"

namespace spillway::model {

/// Turns bytes that arrive in pieces into valid UTF-8, never half a character: up to 3 bytes of an unfinished character are
/// kept back. Ill-formed bytes become U+FFFD, one for each longest prefix of a character (Unicode 15, table 3-8).
class Utf8Stream {
 public:
  /// Appends what is whole to `out`.
  void feed(std::string_view bytes, std::string& out);
  /// An unfinished character becomes one U+FFFD.
  void finish(std::string& out);
  bool pending() const { return kept_ != 0; }

 private:
  void byte(unsigned char byte, std::string& out);
  std::array<char, 4> held_{};
  std::uint8_t kept_ = 0;  // bytes held
  std::uint8_t want_ = 0;  // bytes of the character begun
};

/// The text of one choice as its tokens come: detokenised, whole characters only, and cut before the first stop string.
/// A pure function of (tokenizer, stop strings, tokens): replaying the tokens gives the same state anywhere. A copy is a fork.
class TextStream {
 public:
  /// Empty stop strings are ignored.
  TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops);

  /// Takes a token and returns the text that is now safe to show: text that may turn out to begin a stop string is kept
  /// back. Nothing more comes once `stopped`. Valid until the next call.
  std::string_view feed(core::TokenId token);
  /// End of the tokens: returns what was kept back; an unfinished character becomes U+FFFD (which may complete a stop string).
  std::string_view finish();
  /// A stop string has been completed. The text returned so far ends right before it: before the one that begins first among
  /// those completed by the same token.
  bool stopped() const { return stopped_; }

 private:
  std::string_view release();

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> stops_;
  Utf8Stream utf8_;
  std::string window_;  // text not yet returned; shorter than the longest stop string between calls
  std::string out_;
  bool stopped_ = false;
};

}  // namespace spillway::model
