#include "model/tokenizer_spm.h"

#include <algorithm>
#include <cstdio>

#include "model/tokenizer_split.h"

namespace spillway::model {

namespace {

constexpr std::string_view space_mark = "\xe2\x96\x81";

struct Node {
  std::int32_t previous = -1;
  std::int32_t next = -1;
  std::uint32_t start = 0;
  std::uint32_t bytes = 0;  // 0 = joined into its left neighbour
  core::TokenId token = -1;
};

struct Candidate {
  float score = 0.0F;
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::uint32_t bytes = 0;  // of both sides when offered: stale if they differ later
  core::TokenId token = 0;
};

struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const { return a.score != b.score ? a.score < b.score : a.left > b.left; }
};

/// The pass over one text.
class Joiner {
 public:
  Joiner(const Vocabulary& vocabulary, std::string_view text) : vocabulary_(vocabulary), text_(text) {
    std::size_t at = 0;
    while (at < text.size()) {
      const CodePoint point = decode_utf8(text.substr(at));
      const auto index = static_cast<std::int32_t>(nodes_.size());
      nodes_.push_back({index - 1, index + 1, static_cast<std::uint32_t>(at), point.bytes, -1});
      at += point.bytes;
    }
    if (!nodes_.empty()) nodes_.back().next = -1;
  }

  void run() {
    for (std::size_t i = 0; i + 1 < nodes_.size(); ++i) offer(static_cast<std::int32_t>(i), static_cast<std::int32_t>(i + 1));
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), Later{});
      const Candidate best = heap_.back();
      heap_.pop_back();
      Node& left = node(best.left);
      Node& right = node(best.right);
      if (left.bytes == 0 || right.bytes == 0 || left.bytes + right.bytes != best.bytes) continue;
      left.bytes += right.bytes;
      left.token = best.token;
      left.next = right.next;
      right.bytes = 0;
      if (right.next >= 0) node(right.next).previous = best.left;
      offer(left.previous, best.left);
      offer(best.left, left.next);
    }
  }

  /// Calls `visit(text, token or -1)` for each piece in order.
  template <class Visit>
  void each(Visit&& visit) {
    for (std::int32_t i = nodes_.empty() ? -1 : 0; i >= 0; i = node(i).next)
      visit(text_.substr(node(i).start, node(i).bytes), node(i).token);
  }

 private:
  Node& node(std::int32_t index) { return nodes_[static_cast<std::size_t>(index)]; }

  void offer(std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const std::uint32_t bytes = node(left).bytes + node(right).bytes;
    if (bytes > vocabulary_.text_bytes_max()) return;
    const auto token = vocabulary_.find_plain(text_.substr(node(left).start, bytes));
    if (!token) return;
    heap_.push_back({vocabulary_.score(*token), left, right, bytes, *token});
    std::push_heap(heap_.begin(), heap_.end(), Later{});
  }

  const Vocabulary& vocabulary_;
  std::string_view text_;
  std::vector<Node> nodes_;
  std::vector<Candidate> heap_;
};

}  // namespace

core::Result<SpmModel> SpmModel::make(const Vocabulary& vocabulary, std::optional<core::TokenId> unknown) {
  SpmModel model;
  for (unsigned byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    const char single = static_cast<char>(byte);
    auto token = vocabulary.find_reserved(text);
    if (!token) token = vocabulary.find_plain(text);
    if (!token) token = vocabulary.find_plain({&single, 1});
    if (!token) token = unknown;
    if (!token) {
      return core::fail(core::Errc::bad_file,
                        "tokenizer.ggml.tokens lacks " + in_quotes(text) + " and there is no unknown token: want all 256 bytes");
    }
    model.byte_token_[byte] = *token;
  }
  return model;
}

void SpmModel::encode(const Vocabulary& vocabulary, std::string_view text, std::vector<core::TokenId>& tokens) const {
  std::string marked;
  marked.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (c == ' ') {
      marked += space_mark;
    } else {
      marked += c;
    }
  }
  Joiner joiner(vocabulary, marked);
  joiner.run();
  joiner.each([&](std::string_view piece, core::TokenId joined) {
    // A piece that was never joined is one character: a token of its own, or bytes.
    const auto token = joined >= 0 ? std::optional{joined} : vocabulary.find_plain(piece);
    if (token) {
      tokens.push_back(*token);
      return;
    }
    for (const char c : piece) tokens.push_back(byte_token_[static_cast<unsigned char>(c)]);
  });
}

std::string SpmModel::decode_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    if (text.starts_with(space_mark)) {
      bytes += ' ';
      text.remove_prefix(space_mark.size());
    } else {
      bytes += text.front();
      text.remove_prefix(1);
    }
  }
  return bytes;
}

std::optional<unsigned char> SpmModel::byte_of(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<unsigned char>(value);
}

}  // namespace spillway::model
