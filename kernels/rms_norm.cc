#include "kernels/rms_norm.h"

#include "kernels/isa.h"
#include "kernels/row_slices.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

void rms_norm(const float* x, const float* weight, float* y, std::size_t rows, std::size_t cols, float epsilon, ThreadPool& pool) {
  count_call(current_isa());
  const auto op = vector_ops().rms_norm;
  for_rows(rows, cols, pool, [=](std::size_t row) { op(x + row * cols, weight, y + row * cols, cols, epsilon); });
}

}  // namespace spillway::kernels
