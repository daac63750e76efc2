#pragma once

#include <cstddef>

namespace spillway::sched {

/// Asks the machine for the first `lines` cache lines of what will be looked at soon. A core that serves many streams finds little of
/// any in the caches: what is fetched at once costs one wait, what is fetched one by one costs as many. Says nothing about the program.
inline void fetch(const void* at, std::size_t lines = 1) {
  const char* line = static_cast<const char*>(at);
  for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(line + i * 64);
}

}  // namespace spillway::sched
