// What the kernels of depthwise_conv2d share with their driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "pybench/levels.h"

namespace pybench {

// A few channels of an image or of a kernel, [height, width, lanes]: one channel per vector lane.
struct Plane {
  float* values;
  int64_t height, width;
};

struct DepthwiseKernels {
  int64_t lanes;

  // plane[pixel][lane] = values[pixel * pixel_step + lane * channel_step], and zero in lanes from `channels` on;
  // `reversed` puts the last pixel first.
  void (*pack)(const float* values, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
               bool reversed, float* plane);

  // The inverse of `pack` without reversal.
  void (*unpack)(const float* plane, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
                 float* values);

  // sums[y][x] += sum of a[i][j] * b[i + y + top][j + x + left] over all (i, j) for which both lie inside; no other
  // product is computed, so that a NaN reaches exactly what it takes part in. Steps run along the rows of `a`: it is
  // fastest where `a` is not wider than `b`.
  void (*correlate)(const Plane& a, const Plane& b, int64_t top, int64_t left, const Plane& sums);
};

PYBENCH_DECLARE_KERNEL(DepthwiseKernels, depthwise_conv2d_kernels)

}  // namespace pybench
