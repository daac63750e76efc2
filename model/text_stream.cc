#include "model/text_stream.h"

#include <algorithm>
#include <utility>

namespace spillway::model {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

/// Whether `byte` may be byte `index` (from 1) of a character that begins with `lead`.
bool continues(unsigned char lead, std::uint8_t index, unsigned char byte) {
  if (index == 1) {
    if (lead == 0xe0) return byte >= 0xa0 && byte <= 0xbf;  // no overlong forms
    if (lead == 0xed) return byte >= 0x80 && byte <= 0x9f;  // no surrogates
    if (lead == 0xf0) return byte >= 0x90 && byte <= 0xbf;
    if (lead == 0xf4) return byte >= 0x80 && byte <= 0x8f;  // up to U+10FFFF
  }
  return byte >= 0x80 && byte <= 0xbf;
}

std::uint8_t length_of(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

/// Longest end of `text` that begins, without completing, one of `stops`, in bytes.
std::size_t open_prefix(std::string_view text, const std::vector<std::string>& stops) {
  std::size_t longest = 0;
  for (const std::string& stop : stops) {
    for (std::size_t length = std::min(stop.size() - 1, text.size()); length > longest; --length) {
      if (text.ends_with(std::string_view(stop).substr(0, length))) longest = length;
    }
  }
  return longest;
}

}  // namespace

void Utf8Stream::byte(unsigned char byte, std::string& out) {
  if (kept_ != 0) {
    if (continues(static_cast<unsigned char>(held_[0]), kept_, byte)) {
      held_[kept_++] = static_cast<char>(byte);
      if (kept_ == want_) {
        out.append(held_.data(), kept_);
        kept_ = 0;
      }
      return;
    }
    kept_ = 0;
    out += replacement;
  }
  want_ = length_of(byte);
  if (want_ == 0) {
    out += replacement;
  } else if (want_ == 1) {
    out += static_cast<char>(byte);
  } else {
    held_[0] = static_cast<char>(byte);
    kept_ = 1;
  }
}

void Utf8Stream::feed(std::string_view bytes, std::string& out) {
  for (const char c : bytes) byte(static_cast<unsigned char>(c), out);
}

void Utf8Stream::finish(std::string& out) {
  if (kept_ != 0) out += replacement;
  kept_ = 0;
}

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stops)
    : tokenizer_(std::move(tokenizer)), stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string_view TextStream::feed(core::TokenId token) {
  out_.clear();
  if (stopped_) return out_;
  utf8_.feed(tokenizer_->piece(token), window_);
  return release();
}

std::string_view TextStream::finish() {
  out_.clear();
  if (stopped_) return out_;
  utf8_.finish(window_);
  release();
  out_ += window_;
  window_.clear();
  return out_;
}

std::string_view TextStream::release() {
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, window_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    out_.append(window_, 0, first);
    window_.clear();
    return out_;
  }
  const std::size_t safe = window_.size() - open_prefix(window_, stops_);
  out_.append(window_, 0, safe);
  window_.erase(0, safe);
  return out_;
}

}  // namespace spillway::model
