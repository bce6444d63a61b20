// What the kernels of mutual_match share with their driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "pybench/levels.h"

namespace pybench {

// Templates lie in panels of this many lanes; the last panel repeats a template, which changes no maximum.
constexpr int kPanelLanes = 16;
// Scratch per pixel: the best of each lane, and the sums of the up to four panels that are multiplied at a time.
constexpr int kScratchLanes = 5 * kPanelLanes;

// maxima[i] = largest dot product of pixels[i] with the templates of one position. One function per level, compiled
// from one source. `scratch` holds pixel_count * kScratchLanes floats.
using MaximaKernel = void (*)(const float* const* pixels, int64_t pixel_count, const float* panels,
                              int64_t panel_count, int64_t channels, float* scratch, float* maxima);

PYBENCH_DECLARE_KERNEL(MaximaKernel, mutual_match_maxima)

}  // namespace pybench
