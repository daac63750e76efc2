#include "decisions/log_format.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/digest.h"
#include "decisions/calls.h"
#include "decisions/pack.h"
#include "decisions/shape.h"

namespace spillway::decisions {

namespace {

constexpr std::array<char, 8> magic{'S', 'P', 'W', 'D', 'E', 'C', 'I', 'S'};
constexpr std::size_t fixed_head_bytes = magic.size() + 2 * sizeof(std::uint32_t);
constexpr std::size_t frame_bytes = 2 * sizeof(std::uint32_t) + sizeof(std::uint64_t);
constexpr std::size_t body_bytes_max = 64U << 10;

template <class Word>
Word word_at(const std::byte* bytes) {
  return Unpacker(core::Bytes{bytes, sizeof(Word)}).fixed<Word>();
}

/// Seeded by size and number, and of nothing: cheap, and enough for a length that was damaged.
std::uint32_t check_of(std::uint32_t size, std::uint64_t number) {
  return static_cast<std::uint32_t>(core::checksum64({}, (number << 32) ^ size ^ 0x5157));
}

template <class Core>
void add_core(std::string& text) {
  text.append(CallsOf<Core>::name).push_back('\n');
  add_shape<typename CallsOf<Core>::Start>(text);
  add_shape<typename Core::Action>(text);
  CallsOf<Core>::each([&]<class Call>() {
    text.append(Call::name).push_back('(');
    add_shape<typename SignatureOf<Call>::Result>(text);
    []<class... A>(std::string& out, std::type_identity<std::tuple<A...>>) { ((out.push_back(','), add_shape<A>(out)), ...); }(
        text, std::type_identity<typename SignatureOf<Call>::Arguments>{});
    text.push_back('\n');
  });
}

}  // namespace

std::uint64_t schema_shape() {
  static const std::uint64_t shape = [] {
    std::string text;
    add_core<sched::RouterCore>(text);
    add_core<sched::BatcherCore>(text);
    add_core<sched::CacheCore>(text);
    add_core<sched::LinkCore>(text);
    return core::checksum64(core::as_bytes(text));
  }();
  return shape;
}

void append_head(core::ByteVector& out, const LogHead& head, std::uint32_t version) {
  const std::size_t begin = out.size();
  const core::ByteVector body = packed(head);
  for (const char c : magic) out.push_back(static_cast<std::byte>(c));
  Packer packer(out);
  packer.fixed(version);
  packer.fixed(static_cast<std::uint32_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  packer.fixed(core::checksum64(core::Bytes{out}.subspan(begin)));
}

void append_record(core::ByteVector& out, std::uint64_t number, core::Bytes record) {
  const auto size = static_cast<std::uint32_t>(record.size());
  Packer packer(out);
  packer.fixed(size);
  packer.fixed(check_of(size, number));
  packer.fixed(core::checksum64(record, number));
  out.insert(out.end(), record.begin(), record.end());
}

core::Error LogReader::error(const std::string& what, core::Errc code) const {
  return {code, file_ + ", byte " + std::to_string(offset_) + ": " + what};
}

std::size_t LogReader::read(std::byte* to, std::size_t size) {
  in_.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(size));
  const auto got = static_cast<std::size_t>(in_.gcount());
  at_ += got;
  return got;
}

core::Result<LogHead> LogReader::open() {
  const auto wrong = [this](const std::string& what, core::Errc code = core::Errc::bad_file) {
    return tl::make_unexpected(error(what, code));
  };
  core::ByteVector head(fixed_head_bytes);
  const std::size_t got = read(head.data(), head.size());
  if (got < magic.size() || std::memcmp(head.data(), magic.data(), magic.size()) != 0) return wrong("this is no decision log");
  if (got < head.size()) return wrong("the log ends in its head");
  const auto version = word_at<std::uint32_t>(head.data() + magic.size());
  const auto size = word_at<std::uint32_t>(head.data() + magic.size() + sizeof version);
  if (size > body_bytes_max) return wrong("the head is damaged: it is to have " + std::to_string(size) + " bytes");
  head.resize(fixed_head_bytes + size + sizeof(std::uint64_t));
  if (read(head.data() + fixed_head_bytes, head.size() - fixed_head_bytes) < head.size() - fixed_head_bytes) {
    return wrong("the log ends in its head");
  }
  const auto whole = core::Bytes{head}.first(fixed_head_bytes + size);
  if (core::checksum64(whole) != word_at<std::uint64_t>(head.data() + whole.size()))
    return wrong("the head is damaged (its checksum differs)");
  Unpacker body(whole.subspan(fixed_head_bytes));
  LogHead made;
  if (version != log_version) {
    body.get(made.build);
    return wrong("a decision log of version " + std::to_string(version) + ", written by build " + made.build +
                     "; this build reads version " + std::to_string(log_version) + ": replay it with the build that wrote it",
                 core::Errc::incompatible);
  }
  body.get(made);
  if (body.failed() || body.left() != 0) return wrong("the head cannot be read: " + body.wrong());
  if (made.shape != schema_shape()) {
    return wrong("a decision log of version " + std::to_string(version) + " whose events have other fields than this build's; build " +
                     made.build + " wrote it: replay it with that build",
                 core::Errc::incompatible);
  }
  offset_ = at_;
  return made;
}

core::Result<LogReader::Next> LogReader::next() {
  offset_ = at_;
  std::array<std::byte, frame_bytes> frame{};
  const std::size_t got = read(frame.data(), frame.size());
  if (got < frame.size()) return Next::cut;
  const auto size = word_at<std::uint32_t>(frame.data());
  if (word_at<std::uint32_t>(frame.data() + 4) != check_of(size, number_) || size > record_bytes_max || size == 0) {
    return tl::make_unexpected(error("the log is damaged: no record begins here"));
  }
  // Step by step: the length is a claim until its bytes have come.
  constexpr std::size_t step = 1U << 20;
  bytes_.clear();
  for (std::size_t have = 0; have < size;) {
    const std::size_t want = std::min<std::size_t>(size - have, step);
    bytes_.resize(have + want);
    if (read(bytes_.data() + have, want) < want) return Next::cut;
    have += want;
  }
  if (core::checksum64(bytes_, number_) != word_at<std::uint64_t>(frame.data() + 8)) {
    return tl::make_unexpected(error("the log is damaged: the checksum of this record differs"));
  }
  ++number_;
  if (bytes_.front() != static_cast<std::byte>(RecordKind::end)) return Next::record;
  char more = 0;
  if (in_.read(&more, 1).gcount() != 0) return tl::make_unexpected(error("the log is damaged: bytes behind its end"));
  return Next::end;
}

}  // namespace spillway::decisions
