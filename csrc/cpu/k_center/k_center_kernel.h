// What the kernel of k_center shares with its driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// distances[i] = squared Euclidean distance of `point` to row indices[i] of points [N, dimensions].
using DistancesKernel = void (*)(const float* points, int64_t dimensions, const float* point, const int32_t* indices,
                                 int64_t count, float* distances);

PYBENCH_DECLARE_KERNEL(DistancesKernel, k_center_distances)

}  // namespace pybench
