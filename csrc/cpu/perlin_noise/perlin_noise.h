// Gradient noise: Perlin, "Improving Noise", SIGGRAPH 2002.
#pragma once

#include "shared/tensor_view.h"

namespace pybench {

// Writes sqrt(2) times the gradient noise of a lattice: pixel (y, x) of [H, W] lies at (y R / H, x C / W).
//
// gradients: [R + 1, C + 1, 2], contiguous; (y, x) components at each lattice point, R, C >= 1.
// noise: output [H, W], contiguous.
void perlin_noise(const TensorView& gradients, const TensorView& noise);

}  // namespace pybench
