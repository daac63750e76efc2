#include "kernels/gelu_mul.h"

#include "kernels/isa.h"
#include "kernels/row_slices.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

void gelu_mul(const float* gate, const float* up, float* y, std::size_t rows, std::size_t cols, ThreadPool& pool) {
  count_call(current_isa());
  const auto op = vector_ops().gelu_mul;
  for_rows(rows, cols, pool, [=](std::size_t row) { op(gate + row * cols, up + row * cols, y + row * cols, cols); });
}

}  // namespace spillway::kernels
