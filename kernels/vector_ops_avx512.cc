#define SPILLWAY_LANES_AVX512
#include "kernels/lanes_ops.h"

namespace spillway::kernels {
const VectorOps vector_ops_avx512 = SPILLWAY_VECTOR_OPS;
}  // namespace spillway::kernels
