#include "tests/net/heap_count.h"

#include <cstdlib>
#include <new>

namespace {
bool counting = false;
std::size_t taken_bytes = 0;
}  // namespace

void* operator new(std::size_t size) {
  if (counting) taken_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace spillway::net::test {

void count_heap(bool on) {
  if (on) taken_bytes = 0;
  counting = on;
}
std::size_t heap_bytes_taken() {
  return taken_bytes;
}

}  // namespace spillway::net::test
