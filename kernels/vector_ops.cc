#include "kernels/vector_ops.h"

#include "kernels/isa.h"

namespace spillway::kernels {

const VectorOps& vector_ops() {
#if defined(__x86_64__)
  switch (current_isa()) {
    case Isa::avx512: return vector_ops_avx512;
    case Isa::avx2: return vector_ops_avx2;
    case Isa::scalar: break;
  }
#endif
  return vector_ops_scalar;
}

}  // namespace spillway::kernels
