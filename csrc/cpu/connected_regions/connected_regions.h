// Connected regions of binary masks.
#pragma once

#include "shared/tensor_view.h"

namespace pybench {

// Labels the 8-connected regions of each mask by 1, 2, ... in the raster order of their first pixels.
//
// masks: uint8 [B, H, W], contiguous, set where not zero; H * W < 2^31. labels: int32 [B, H, W], contiguous; only set
// pixels are written, so it comes as zeros. counts: output int64 [B], contiguous: the number of regions of each mask.
void connected_regions(const TensorView& masks, int threads, const TensorView& labels, const TensorView& counts);

}  // namespace pybench
