#include "kernels/softcap.h"

#include "kernels/isa.h"
#include "kernels/row_slices.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

void softcap(float* x, std::size_t rows, std::size_t cols, float cap, ThreadPool& pool) {
  count_call(current_isa());
  const auto op = vector_ops().softcap;
  for_rows(rows, cols, pool, [=](std::size_t row) { op(x + row * cols, cols, cap); });
}

}  // namespace spillway::kernels
