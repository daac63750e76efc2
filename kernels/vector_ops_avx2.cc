#define SPILLWAY_LANES_AVX2
#include "kernels/lanes_ops.h"

namespace spillway::kernels {
const VectorOps vector_ops_avx2 = SPILLWAY_VECTOR_OPS;
}  // namespace spillway::kernels
