#include "core/adapter.h"

#include <algorithm>

#include "core/digest.h"

namespace spillway::core {

const AdapterInfo* find_adapter(std::span<const AdapterInfo> adapters, std::string_view name) {
  const auto found = std::find_if(adapters.begin(), adapters.end(), [&](const AdapterInfo& a) { return a.name == name; });
  return found == adapters.end() ? nullptr : &*found;
}

std::string adapter_names(std::span<const AdapterInfo> adapters) {
  std::string all;
  for (const AdapterInfo& adapter : adapters) all += (all.empty() ? "" : ", ") + adapter.name;
  return all.empty() ? "none" : all;
}

std::optional<U128> under_adapter(const U128& bare, std::span<const AdapterInfo> adapters, std::string_view name) {
  if (name.empty()) return bare;
  const AdapterInfo* adapter = find_adapter(adapters, name);
  if (adapter == nullptr) return std::nullopt;
  Digest128 digest;
  digest.add_text("adapter").add_u64(bare.hi).add_u64(bare.lo).add_u64(adapter->digest.hi).add_u64(adapter->digest.lo);
  return digest.finish();
}

std::optional<KvId> under_adapter(const KvId& bare, std::span<const AdapterInfo> adapters, std::string_view name) {
  const auto under = under_adapter(static_cast<const U128&>(bare), adapters, name);
  return under ? std::optional(KvId{*under}) : std::nullopt;
}

}  // namespace spillway::core
