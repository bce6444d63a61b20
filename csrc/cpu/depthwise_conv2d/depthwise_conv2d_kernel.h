// What the kernels of depthwise_conv2d share with their driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// Channels are worked on in groups of a cache line of floats, in one or more planes; the last group is filled up.
constexpr int kGroupChannels = 16;

// As many channels of an image or of a kernel as a vector has lanes, [height, width, lanes].
struct Plane {
  float* values;
  int64_t height, width;
};

struct DepthwiseKernels {
  int64_t lanes;

  // Copies `channels` channels, at most a group, into kGroupChannels / lanes planes that follow each other, and zero
  // into the lanes that are left. `reversed` puts the last pixel first.
  void (*pack)(const float* values, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
               bool reversed, float* planes);

  // The inverse of `pack` without reversal.
  void (*unpack)(const float* planes, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
                 float* values);

  // sums[y][x] += sum of a[i][j] * b[i + y + top][j + x + left] over all (i, j) for which both lie inside; no other
  // product is computed, so that a NaN reaches exactly what it takes part in. Steps run along the rows of `a`: it is
  // fastest where `a` is not wider than `b`.
  void (*correlate)(const Plane& a, const Plane& b, int64_t top, int64_t left, const Plane& sums);
};

PYBENCH_DECLARE_KERNEL(DepthwiseKernels, depthwise_conv2d_kernels)

}  // namespace pybench
