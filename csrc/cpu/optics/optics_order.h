// From a matrix of distances to the regions of OPTICS.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/optics/optics_kernel.h"
#include "cpu/optics/optics_xi.h"

namespace pybench {

// Distances are rounded to 15 decimals as by scikit-learn, which does so with core distances twice. For distances in
// float32, multiples of 2^-24, that changes no comparison, and only the plot is rounded.
constexpr double kRounding = 1e15;

inline double rounded(double distance) { return std::nearbyint(distance * kRounding) / kRounding; }

inline int64_t optics_padded(int64_t count) { return (count + kOpticsPadding - 1) / kOpticsPadding * kOpticsPadding; }

// Regions of OPTICS on one matrix after the other; keeps its scratch memory. Real is float or double.
template <typename Real>
class OpticsRegions {
 public:
  OpticsRegions(const OpticsOrderKernels& kernels, int64_t count, int64_t min_samples);

  // The region of each example, or -1 for noise.
  //
  // distances: symmetric matrix [count, count] with rows optics_padded(count) apart, padded with finite values.
  const std::vector<int32_t>& labels(const Real* distances);

 private:
  using Index = std::conditional_t<sizeof(Real) == 4, int32_t, int64_t>;

  void find_core_distances(const Real* distances);
  void find_order(const Real* distances);

  const OpticsOrderKernels& kernels_;
  const int64_t count_, min_samples_;
  std::vector<Real> core_, row_;
  std::vector<Real> reachability_, done_;  // scratch of the kernel
  std::vector<Index> predecessors_;
  std::vector<int32_t> order_;
  std::vector<Real> ordered_;  // reachability by place
  ReachabilityPlot plot_;
  std::vector<int32_t> labels_;
};

}  // namespace pybench
