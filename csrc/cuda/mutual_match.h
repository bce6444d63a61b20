// Mutual matching of a query with a bank of templates (paper 003, HETMM, Eq. 3-5) on a CUDA device. Work is queued on
// `stream` of the current device, a cudaStream_t as an integer; nothing is allocated and nothing waits.
#pragma once

#include <cstdint>

#include "pybench/tensor_view.h"

namespace pybench::cuda {

// Writes the vectors of features [B, C, P] (contiguous), scaled to unit length, as rows of halves [B, P, 32 S]. A row is
// a sequence of S steps of 32 halves: 16 channels rounded to halves and then what the rounding left of them where `split`,
// else 32 channels; zeros follow the last channel. Vectors shorter than epsilon are divided by it instead.
void unit_rows(const TensorView& features, float epsilon, bool split, const TensorView& rows, uint64_t stream);

}  // namespace pybench::cuda
