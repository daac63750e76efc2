#include "net/decoder.h"

namespace spillway::net {

std::string Decoder::path() const {
  std::string text(root_);
  for (std::size_t i = 0; i <= depth_; ++i) {
    if (*steps_[i].name != '\0') text += (text.empty() ? "" : ".") + std::string(steps_[i].name);
    if (steps_[i].index != no_index) text += "[" + std::to_string(steps_[i].index) + "]";
  }
  return text;
}

void Decoder::fail(DecodeFault fault, const std::string& what) {
  if (failed()) return;
  fault_ = fault;
  const auto where = path();
  reason_ = "frame" + (where.empty() ? "" : " at " + where) + ": " + what;
}

void Decoder::set_duration(core::Duration& value, std::int64_t ns) {
  const core::Duration duration{ns};
  if (duration > duration_max || duration < -duration_max) {
    return fail(DecodeFault::bad_duration, std::to_string(ns) + " ns; at most " + std::to_string(duration_max.count()) + " either way");
  }
  value = duration;
}

void Decoder::set_text(std::string& value, capnp::Text::Reader text) {
  if (text.size() > text_bytes_max) {
    return fail(DecodeFault::text_too_long, std::to_string(text.size()) + " bytes of text; at most " + std::to_string(text_bytes_max));
  }
  if (!may_allocate(text.size(), 1)) return;
  value.assign(text.cStr(), text.size());
}

bool Decoder::may_allocate(std::size_t count, std::size_t element_bytes) {
  if (count > list_bytes_max / element_bytes) {
    fail(DecodeFault::list_too_long, std::to_string(count) + " elements; at most " + std::to_string(list_bytes_max / element_bytes));
    return false;
  }
  const auto bytes = count * element_bytes;
  if (bytes > budget_bytes_) {
    fail(DecodeFault::too_much_memory, std::to_string(count) + " elements need more memory than a frame of this size warrants");
    return false;
  }
  budget_bytes_ -= bytes;
  return true;
}

std::string version_text(std::uint16_t theirs) {
  return "the peer speaks protocol version " + std::to_string(theirs) + ", this build speaks version " +
         std::to_string(core::protocol_version);
}

}  // namespace spillway::net
