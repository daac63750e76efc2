#define SPILLWAY_LANES_SCALAR
#include "kernels/lanes_ops.h"

namespace spillway::kernels {
const VectorOps vector_ops_scalar = SPILLWAY_VECTOR_OPS;
}  // namespace spillway::kernels
