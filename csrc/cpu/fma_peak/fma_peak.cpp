#include "cpu/fma_peak/fma_peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "cpu/fma_peak/fma_peak_kernel.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

namespace pybench {

double fma_peak(const std::string& level, int threads, int64_t repeats, int tries) {
  const BurstKernel kernel = PYBENCH_KERNEL(level, fma_burst);
  double peak = 0;
  for (int i = 0; i < tries; ++i) {
    std::atomic<int64_t> done{0};
    const auto start = std::chrono::steady_clock::now();
    parallel_for(threads, threads, [&](int64_t first, int64_t last) {
      float sink;
      for (int64_t burst = first; burst < last; ++burst) done += repeats * kernel(repeats, &sink);
    });
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    peak = std::max(peak, static_cast<double>(done) / taken.count());
  }
  return peak;
}

}  // namespace pybench
