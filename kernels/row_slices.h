#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// Calls f(row) for each of `rows` rows of `cols` elements: on the caller's thread where the work is smaller than what waking the
/// others costs, else in slices of the pool.
template <class F>
void for_rows(std::size_t rows, std::size_t cols, ThreadPool& pool, const F& f) {
  constexpr std::size_t slice_elements = 8192;  // some microseconds of work
  const std::size_t slice_rows = std::max<std::size_t>(1, slice_elements / std::max<std::size_t>(1, cols));
  if (rows <= slice_rows || pool.threads() == 1) {
    for (std::size_t row = 0; row < rows; ++row) f(row);
    return;
  }
  pool.parallel((rows + slice_rows - 1) / slice_rows, [&](std::size_t slice, unsigned) {
    const std::size_t end = std::min(rows, (slice + 1) * slice_rows);
    for (std::size_t row = slice * slice_rows; row < end; ++row) f(row);
  });
}

}  // namespace spillway::kernels
