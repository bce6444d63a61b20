// What the kernel of k_center shares with its driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

namespace pybench {

// distances[i] = squared Euclidean distance of `point` to row indices[i] of points [N, dimensions].
using DistancesKernel = void (*)(const float* points, int64_t dimensions, const float* point, const int32_t* indices,
                                 int64_t count, float* distances);

namespace avx512 {
extern const DistancesKernel k_center_distances;
}
namespace avx2 {
extern const DistancesKernel k_center_distances;
}
namespace portable {
extern const DistancesKernel k_center_distances;
}

}  // namespace pybench
