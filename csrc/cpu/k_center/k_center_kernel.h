// What the kernels of k_center share with their driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// Vectors of which this many lie side by side form a block [dimensions, kBlock].
constexpr int64_t kBlock = 16;

struct KCenterKernels {
  // squared[i] = squared Euclidean distance of `vector` to row indices[i] of rows [N, dimensions].
  void (*to_rows)(const float* rows, int64_t dimensions, const float* vector, const int32_t* indices, int64_t count,
                  float* squared);
  // squared[i] = squared Euclidean distance of `vector` to the i-th vector of consecutive blocks; count is a multiple of
  // kBlock.
  void (*to_blocks)(const float* blocks, int64_t dimensions, const float* vector, int64_t count, float* squared);
};

PYBENCH_DECLARE_KERNEL(KCenterKernels, k_center_kernels)

}  // namespace pybench
