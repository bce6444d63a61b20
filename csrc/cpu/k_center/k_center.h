// Greedy k-centre selection (the coreset of PatchCore, Roth et al. 2022, Alg. 1), exact.
#pragma once

#include <cstdint>
#include <string>

#include "shared/tensor_view.h"

namespace pybench {

// Writes the indices of chosen.size(0) points, `first` first, then always the point farthest from all that are chosen;
// the smallest index wins ties.
//
// level: a name of simd_levels() that can run here.
// points: finite [N, D], contiguous.
// sketches: [N, S], contiguous, S <= 64: vectors whose distances are never larger than those of the points, but for rounding
// to float32; they save reading points that are too far away. None where S = 0.
// chosen: output int64 [k], contiguous, 1 <= k <= N.
void k_center(const std::string& level, const TensorView& points, const TensorView& sketches, int64_t first, int threads,
              const TensorView& chosen);

}  // namespace pybench
