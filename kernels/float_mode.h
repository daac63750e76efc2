#pragma once

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace spillway::kernels {

/// Sets the numerics contract's floating point modes for the calling thread while it lives, then puts back what was there:
/// round to nearest even, subnormals neither flushed nor read as zero, no traps. The graph holds one around a step; the
/// threads of a ThreadPool hold one for their whole life.
class FloatMode {
 public:
#if defined(__x86_64__)
  FloatMode() : saved_{_mm_getcsr()} {
    if ((saved_ & ~0x3fu) != 0x1f80u) _mm_setcsr(0x1f80u);  // all masked, nearest, FTZ and DAZ off; flags do not matter
  }
  ~FloatMode() {
    if ((saved_ & ~0x3fu) != 0x1f80u) _mm_setcsr(saved_);
  }
#else
  FloatMode() = default;
  ~FloatMode() {}
#endif
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
#if defined(__x86_64__)
  unsigned saved_;
#endif
};

}  // namespace spillway::kernels
