// Depthwise convolution with large kernels, stride 1 and zero padding that keeps the size, and its gradient, on a CUDA
// device. Work is queued on `stream` of the current device, a cudaStream_t as an integer; nothing is allocated and
// nothing waits. A NaN or an infinity reaches exactly what it takes part in.
#pragma once

#include <cstdint>
#include <optional>

#include "shared/tensor_view.h"

namespace pybench::cuda {

// output[b, c] = x[b, c] (cross-)correlated with weight[c, 0], plus bias[c].
//
// x: [B, C, H, W]. weight: [C, 1, kh, kw], with odd sides. bias: [C], or none. output: [B, C, H, W]. All contiguous.
// transposed: turns the kernels by 180 degrees, which gives the gradient for x when x is that for the output.
void depthwise_conv2d(const TensorView& x, const TensorView& weight, const std::optional<TensorView>& bias,
                      bool transposed, const TensorView& output, uint64_t stream);

// Writes S parts, whose sum over S is the gradient for the weight: partial[s, c, 0, i, j] = sum over some b, y and all x
// of output_gradient[b, c, y, x] * x[b, c, y + i - kh / 2, x + j - kw / 2].
//
// output_gradient, x: [B, C, H, W]. partial: output [S, C, 1, kh, kw], with odd sides. All contiguous.
void depthwise_conv2d_weight_gradient(const TensorView& output_gradient, const TensorView& x,
                                      const TensorView& partial, uint64_t stream);

}  // namespace pybench::cuda
