#pragma once

#include <cstddef>

namespace spillway::net::test {

/// Bytes that `operator new` gave out while counting was on. Linked into one single-threaded test program alone.
void count_heap(bool on);
std::size_t heap_bytes_taken();  ///< since counting was last switched on

}  // namespace spillway::net::test
