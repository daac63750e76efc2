#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "core/error.h"

namespace spillway::core {

/// A value, or the error that explains why there is none. No exceptions cross folders.
template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string message, Duration retry_after = Duration{0}) {
  return tl::make_unexpected(Error{code, std::move(message), retry_after});
}

}  // namespace spillway::core
