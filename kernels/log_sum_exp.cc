#include "kernels/log_sum_exp.h"

#include "kernels/isa.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

float log_sum_exp(const float* x, std::size_t n) {
  count_call(current_isa());
  return vector_ops().log_sum_exp(x, n);
}

}  // namespace spillway::kernels
