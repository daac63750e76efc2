#pragma once

namespace spillway::core {
/// Prints the failed condition with its place and aborts. Kept on in release builds: an assertion is our own bug.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace spillway::core

#define SPILLWAY_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::spillway::core::assertion_failed(#condition, __FILE__, __LINE__))
