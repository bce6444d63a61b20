// What the kernels of mutual_match share with their driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// Templates lie in panels of this many lanes; the last panel repeats a template, which changes no maximum.
constexpr int kPanelLanes = 16;
// Scratch per pixel: the best of each lane, and the sums of the up to four panels that are multiplied at a time.
constexpr int kScratchLanes = 5 * kPanelLanes;

// Two channels in 16-bit fixed point: a component v of a unit vector is round(v * 2^15), at most 2^15 - 1 either way. By
// Cauchy and Schwarz no sum of products of two such vectors leaves an int32.
struct Pair {
  int16_t even, odd;
};
// The first component of a vector that held a NaN or an infinity; no other component is as small.
constexpr int16_t kNotANumber = -32768;

// maxima[i] = largest dot product of pixels[i] with the templates of one position. One function per level, compiled
// from one source, for words of one channel (float) and of two (Pair). `scratch` holds pixel_count * kScratchLanes words.
template <typename Word>
using MaximaKernel = void (*)(const Word* const* pixels, int64_t pixel_count, const Word* panels, int64_t panel_count,
                              int64_t words, Word* scratch, float* maxima);

PYBENCH_DECLARE_KERNEL(MaximaKernel<float>, mutual_match_maxima_float32)
PYBENCH_DECLARE_KERNEL(MaximaKernel<Pair>, mutual_match_maxima_fixed16)

}  // namespace pybench
