// The inner loop of fma_peak, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES (floats per
// vector).

#include "cpu/fma_peak/fma_peak_kernel.h"

namespace pybench {
namespace {

typedef float Vec __attribute__((vector_size(PYBENCH_LANES * sizeof(float))));

// Two units with a latency of four or five cycles want ten independent chains; two registers hold the operands.
constexpr int kChains = 12;

int64_t burst(int64_t repeats, float* sink) {
  Vec sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = Vec{} + 1e-3f * static_cast<float>(i);
  const Vec factor = Vec{} + 0.999f, term = Vec{} + 1e-3f;
  for (int64_t repeat = 0; repeat < repeats; ++repeat) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * factor + term;
  }
  for (int i = 1; i < kChains; ++i) sums[0] += sums[i];
  *sink = sums[0][0];
  return kChains * PYBENCH_LANES;
}

}  // namespace

namespace PYBENCH_LEVEL {
const BurstKernel fma_burst = burst;
}

}  // namespace pybench
