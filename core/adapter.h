#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.h"

namespace spillway::core {

/// An adapter (LoRA and the like) that a replica can lay over its weights for a request that names it.
struct AdapterInfo {
  std::string name;
  U128 digest;  ///< of its tensors; two contents under one name are two adapters

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name), v("digest", s.digest);
  }
  friend bool operator==(const AdapterInfo&, const AdapterInfo&) = default;
};

/// nullptr when the name is not among them.
const AdapterInfo* find_adapter(std::span<const AdapterInfo> adapters, std::string_view name);
/// "a, b", or "none".
std::string adapter_names(std::span<const AdapterInfo> adapters);

/// A replica's KvId or digest of weights is that of its bare weights; this is what it is for a request under adapter `name`:
/// `bare` itself where the name is empty, nothing where the replica does not have the adapter.
std::optional<KvId> under_adapter(const KvId& bare, std::span<const AdapterInfo> adapters, std::string_view name);
std::optional<U128> under_adapter(const U128& bare, std::span<const AdapterInfo> adapters, std::string_view name);

}  // namespace spillway::core
