// Mutual matching of a query with a bank of templates (HETMM, Eq. 3-5) on a CUDA device. Work is queued on `stream` of the
// current device, a cudaStream_t as an integer; nothing is allocated and nothing waits.
#pragma once

#include <cstdint>

#include "shared/tensor_view.h"

namespace pybench::cuda {

// Writes the vectors of features [B, C, P] (contiguous), scaled to unit length, as rows of halves [B, P, 32 S]. A row
// is a sequence of S steps of 32 halves: 16 channels rounded to halves and then what the rounding left of them where
// `split`, else 32 channels; zeros follow the last channel. Vectors shorter than epsilon are divided by it instead.
void unit_rows(const TensorView& features, float epsilon, bool split, const TensorView& rows, uint64_t stream);

// Writes the largest cosine of each position in both directions; NaN where a NaN takes part.
//
// rows: of the query, from `unit_rows` with the same `split`, S a multiple of 4 that is just enough. panels: unit
// vectors, float32 [P, ceil(N / 16), C, 16] where `split`, else float16 [P, ceil(N / 16), ceil(C / 2), 32], in which
// two channels of a template lie beside each other. height * width = P, row-major. Windows are odd and at most 61.
// table: a workspace [B, side * side, P], where `side` is the larger window. forward, backward: outputs [B, P]. All
// contiguous.
void mutual_match(const TensorView& rows, const TensorView& panels, int64_t channels, int64_t height, int64_t width,
                  int64_t forward_window, int64_t backward_window, bool split, const TensorView& table,
                  const TensorView& forward, const TensorView& backward, uint64_t stream);

}  // namespace pybench::cuda
