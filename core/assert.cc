#include "core/assert.h"

#include <cstdio>
#include <cstdlib>

namespace spillway::core {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "spillway: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace spillway::core
