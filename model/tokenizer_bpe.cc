#include "model/tokenizer_bpe.h"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>

namespace spillway::model {

namespace {

/// The printable alphabet of GPT-2: each byte has one code point. Bytes that are printable in Latin-1 keep their own.
struct Alphabet {
  std::array<std::uint32_t, 256> point_of{};
  std::array<std::int16_t, 512> byte_of{};
  Alphabet() {
    byte_of.fill(-1);
    std::uint32_t next = 256;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      point_of[byte] = printable ? byte : next++;
      byte_of[point_of[byte]] = static_cast<std::int16_t>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

std::uint64_t slot_hash(std::uint64_t pair) {
  return (pair ^ pair >> 29) * 0x9e3779b97f4a7c15ULL >> 20;
}

}  // namespace

/// Buffers of one call, reused from word to word.
struct BpeModel::Workspace {
  struct Node {
    Symbol symbol = 0;
    std::int32_t previous = -1;
    std::int32_t next = -1;
    std::uint32_t start = 0;
    std::uint32_t bytes = 1;  // 0 = joined into its left neighbour
  };
  struct Candidate {
    std::uint32_t rank = 0;
    std::int32_t left = 0;
    std::int32_t right = 0;
    Symbol left_symbol = 0;
    Symbol right_symbol = 0;
    Symbol joined = 0;
  };
  struct Later {
    bool operator()(const Candidate& a, const Candidate& b) const { return a.rank != b.rank ? a.rank > b.rank : a.left > b.left; }
  };
  std::vector<Node> nodes;
  std::vector<Candidate> heap;
  std::vector<std::string_view> words;
};

core::Result<BpeModel> BpeModel::make(const Vocabulary& vocabulary, const std::vector<std::string_view>& merges, const SplitRule& rule,
                                      std::optional<core::TokenId> unknown) {
  if (merges.size() > merges_max) {
    return core::fail(core::Errc::bad_file, "tokenizer.ggml.merges has " + std::to_string(merges.size()) + " entries: want at most " +
                                                std::to_string(merges_max));
  }
  BpeModel model;
  model.rule_ = rule;
  model.vocabulary_ = vocabulary.size();
  model.unknown_ = unknown;
  std::unordered_map<std::string, Symbol> extra;
  const auto symbol_of = [&](const std::string& text) -> Symbol {
    if (const auto id = vocabulary.find_plain(text)) return static_cast<Symbol>(*id);
    return extra.emplace(text, vocabulary.size() + static_cast<Symbol>(extra.size())).first->second;
  };
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const char single = static_cast<char>(byte);
    const std::string text = encode_text({&single, 1});
    if (!unknown && byte >= 0x20 && byte < 0x7f && !vocabulary.find_plain(text)) {
      return core::fail(core::Errc::bad_file, "tokenizer.ggml.tokens lacks a token for byte " + std::to_string(byte) +
                                                  " and there is no unknown token: want at least printable ASCII");
    }
    model.byte_symbol_[byte] = symbol_of(text);
  }
  model.table_.resize(std::bit_ceil(merges.size() * 2 + 2));
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view merge = merges[rank];
    const std::size_t space = merge.find(' ', 1);
    if (space == merge.npos || space + 1 >= merge.size()) {
      return core::fail(core::Errc::bad_file,
                        "tokenizer.ggml.merges[" + std::to_string(rank) + "] = " + in_quotes(merge) + ": want two texts parted by a space");
    }
    const std::string left(merge.substr(0, space));
    const std::string right(merge.substr(space + 1));
    const std::uint64_t pair = std::uint64_t{symbol_of(left)} << 32 | symbol_of(right);
    model.insert_merge({pair, static_cast<std::uint32_t>(rank), symbol_of(left + right)});  // the first of two equal ones counts
  }
  return model;
}

bool BpeModel::insert_merge(const Merge& merge) {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = slot_hash(merge.pair) & mask;; slot = (slot + 1) & mask) {
    if (table_[slot].pair == merge.pair) return false;
    if (table_[slot].pair == ~std::uint64_t{0}) {
      table_[slot] = merge;
      return true;
    }
  }
}

const BpeModel::Merge* BpeModel::find_merge(Symbol left, Symbol right) const {
  const std::uint64_t pair = std::uint64_t{left} << 32 | right;
  const std::size_t mask = table_.size() - 1;
  for (std::size_t slot = slot_hash(pair) & mask;; slot = (slot + 1) & mask) {
    if (table_[slot].pair == pair) return &table_[slot];
    if (table_[slot].pair == ~std::uint64_t{0}) return nullptr;
  }
}

void BpeModel::encode(const Vocabulary& vocabulary, std::string_view text, std::vector<core::TokenId>& tokens) const {
  Workspace work;
  split_words(rule_.cuts, text, work.words);
  for (const std::string_view word : work.words) {
    if (rule_.whole_words && word.size() <= vocabulary.text_bytes_max()) {
      if (const auto whole = vocabulary.find_plain(encode_text(word))) {
        tokens.push_back(*whole);
        continue;
      }
    }
    encode_word(word, work, tokens);
  }
}

void BpeModel::encode_word(std::string_view word, Workspace& work, std::vector<core::TokenId>& tokens) const {
  auto& nodes = work.nodes;
  nodes.clear();
  work.heap.clear();
  const auto count = static_cast<std::int32_t>(word.size());
  for (std::int32_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    nodes.push_back({byte_symbol_[byte], i - 1, i + 1 < count ? i + 1 : -1, static_cast<std::uint32_t>(i), 1});
  }
  const auto offer = [&](std::int32_t left, std::int32_t right) {
    if (left < 0 || right < 0) return;
    const Symbol a = nodes[static_cast<std::size_t>(left)].symbol;
    const Symbol b = nodes[static_cast<std::size_t>(right)].symbol;
    const Merge* merge = find_merge(a, b);
    if (merge == nullptr) return;
    work.heap.push_back({merge->rank, left, right, a, b, merge->joined});
    std::push_heap(work.heap.begin(), work.heap.end(), Workspace::Later{});
  };
  for (std::int32_t i = 0; i + 1 < count; ++i) offer(i, i + 1);
  while (!work.heap.empty()) {
    std::pop_heap(work.heap.begin(), work.heap.end(), Workspace::Later{});
    const Workspace::Candidate best = work.heap.back();
    work.heap.pop_back();
    auto& left = nodes[static_cast<std::size_t>(best.left)];
    auto& right = nodes[static_cast<std::size_t>(best.right)];
    // A candidate is stale when either side has been joined since.
    if (left.bytes == 0 || right.bytes == 0 || left.symbol != best.left_symbol || right.symbol != best.right_symbol) continue;
    left.symbol = best.joined;
    left.bytes += right.bytes;
    left.next = right.next;
    right.bytes = 0;
    if (right.next >= 0) nodes[static_cast<std::size_t>(right.next)].previous = best.left;
    offer(left.previous, best.left);
    offer(best.left, left.next);
  }
  for (std::int32_t i = count == 0 ? -1 : 0; i >= 0; i = nodes[static_cast<std::size_t>(i)].next) {
    const auto& node = nodes[static_cast<std::size_t>(i)];
    emit(node.symbol, word.substr(node.start, node.bytes), tokens);
  }
}

void BpeModel::emit(Symbol symbol, std::string_view bytes, std::vector<core::TokenId>& tokens) const {
  if (symbol < vocabulary_) {
    tokens.push_back(static_cast<core::TokenId>(symbol));
    return;
  }
  for (const char c : bytes) {
    const Symbol single = byte_symbol_[static_cast<unsigned char>(c)];
    if (single < vocabulary_) {
      tokens.push_back(static_cast<core::TokenId>(single));
    } else if (unknown_) {
      tokens.push_back(*unknown_);
    }
  }
}

std::string BpeModel::encode_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_utf8(alphabet().point_of[static_cast<unsigned char>(c)], text);
  return text;
}

std::string BpeModel::decode_text(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const std::int16_t byte = point.value < 512 ? alphabet().byte_of[point.value] : std::int16_t{-1};
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      bytes += text.substr(0, point.bytes);
    }
    text.remove_prefix(point.bytes);
  }
  return bytes;
}

}  // namespace spillway::model
