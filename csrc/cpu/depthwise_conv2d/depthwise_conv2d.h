// Depthwise convolution with large kernels, stride 1 and zero padding that keeps the size; and its gradient.
#pragma once

#include <optional>
#include <string>

#include "shared/tensor_view.h"

namespace pybench {

// output[b, c] = x[b, c] (cross-)correlated with weight[c, 0], plus bias[c].
//
// level: a name of simd_levels() that can run here.
// x: [B, C, H, W]. weight: [C, 1, kh, kw], contiguous, with odd sides. bias: [C], contiguous, or none.
// transposed: turns the kernels by 180 degrees, which gives the gradient for x when x is that for the output.
// output: [B, C, H, W]. The pixels of x and output lie at even distances; either is fastest where pixels or channels
// lie side by side.
void depthwise_conv2d(const std::string& level, const TensorView& x, const TensorView& weight,
                      const std::optional<TensorView>& bias, bool transposed, int threads, const TensorView& output);

// weight_gradient[c, 0, i, j] = sum over b, v, u of output_gradient[b, c, v, u] * x[b, c, v + i - kh / 2, u + j - kw / 2]
// in one order for any number of threads.
//
// output_gradient, x: [B, C, H, W], as above. weight_gradient: output [C, 1, kh, kw], contiguous, with odd sides.
void depthwise_conv2d_weight_gradient(const std::string& level, const TensorView& output_gradient, const TensorView& x,
                                      int threads, const TensorView& weight_gradient);

}  // namespace pybench
