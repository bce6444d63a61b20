// The inner loops of k_center, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES (floats per
// vector). Like all kernels it lives in an anonymous namespace and uses nothing of the standard library.

#include "cpu/k_center/k_center_kernel.h"

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;
constexpr int kSums = 4;  // independent sums hide the latency of the additions
constexpr int64_t kAhead = 8;  // rows lie anywhere in memory: fetch one that is needed soon

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

inline float squared_distance(const float* a, const float* b, int64_t dimensions) {
  Vec sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums * kLanes <= dimensions; i += kSums * kLanes) {
#pragma GCC unroll 4
    for (int s = 0; s < kSums; ++s) {
      const Vec difference = *(const Unaligned*)(a + i + s * kLanes) - *(const Unaligned*)(b + i + s * kLanes);
      sums[s] += difference * difference;
    }
  }
  for (; i + kLanes <= dimensions; i += kLanes) {
    const Vec difference = *(const Unaligned*)(a + i) - *(const Unaligned*)(b + i);
    sums[0] += difference * difference;
  }
  const Vec total = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += total[lane];
  for (; i < dimensions; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

void to_rows(const float* rows, int64_t dimensions, const float* vector, const int32_t* indices, int64_t count,
             float* squared) {
  for (int64_t i = 0; i < count; ++i) {
    if (i + kAhead < count) {
      const float* soon = rows + indices[i + kAhead] * dimensions;
      for (int64_t j = 0; j < dimensions; j += 16) __builtin_prefetch(soon + j, 0, 1);
    }
    squared[i] = squared_distance(rows + indices[i] * dimensions, vector, dimensions);
  }
}

void to_blocks(const float* blocks, int64_t dimensions, const float* vector, int64_t count, float* squared) {
  constexpr int kVecs = kBlock / kLanes;
  for (int64_t first = 0; first < count; first += kBlock, blocks += dimensions * kBlock) {
    Vec sums[kVecs] = {};
    for (int64_t i = 0; i < dimensions; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        const Vec difference = *(const Unaligned*)(blocks + i * kBlock + v * kLanes) - vector[i];
        sums[v] += difference * difference;
      }
    }
    for (int v = 0; v < kVecs; ++v) *(Unaligned*)(squared + first + v * kLanes) = sums[v];
  }
}

}  // namespace

namespace PYBENCH_LEVEL {
const KCenterKernels k_center_kernels = {to_rows, to_blocks};
}  // namespace PYBENCH_LEVEL

}  // namespace pybench
