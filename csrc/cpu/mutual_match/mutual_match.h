// Mutual matching of a query with a bank of templates: HETMM, Eq. 3-5.
#pragma once

#include <cstdint>
#include <string>

#include "shared/tensor_view.h"

namespace pybench {

// Writes the vectors of features [B, C, P] (contiguous in P), scaled to unit length, as rows (contiguous in C). Vectors
// shorter than epsilon are divided by it instead; a NaN or an infinity makes its row NaN.
//
// unit: float32 [B, P, C], or int16 [B, P, C rounded up to even] for fixed point (see Pair in mutual_match_kernel.h).
void unit_rows(const TensorView& features, float epsilon, int threads, const TensorView& unit);

// Writes the largest cosine of each position in both directions; NaN where a NaN takes part.
//
// level: a name of simd_levels() that can run here.
// query: unit vectors [B, P, C], contiguous in C. panels: unit vectors [P, ceil(N / 16), C, 16], contiguous. Both are
// float32, or both int16 with two channels beside each other: query [B, P, 2 W], panels [P, ceil(N / 16), W, 32].
// height * width = P, row-major. Windows are odd. forward, backward: outputs [B, P], contiguous.
void mutual_match(const std::string& level, const TensorView& query, const TensorView& panels, int64_t height,
                  int64_t width, int64_t forward_window, int64_t backward_window, int threads,
                  const TensorView& forward, const TensorView& backward);

}  // namespace pybench
