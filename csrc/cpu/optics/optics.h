// Density clustering and selection of templates at each position: HETMM, Sec. 3.3 and Alg. 1.
#pragma once

#include <cstdint>
#include <string>

#include "shared/tensor_view.h"

namespace pybench {

// Writes the selection.size(0) = K examples that represent each position: the centres of the regions of OPTICS by first
// appearance (their medoids, or with `mean` their means), then those of the largest summed cosine distance to all that
// are chosen; the smallest index wins ties. Returns false, and leaves `selected` unspecified, where a feature is a NaN
// or an infinity.
//
// level: a name of simd_levels() that can run here.
// features: [N, P, C], contiguous in C or in P; not empty. selected: output [K, P, C], contiguous, 1 <= K <= N.
// min_samples: in [2, N].
bool optics_select(const std::string& level, const TensorView& features, int64_t min_samples, bool mean, int threads,
                   const TensorView& selected);

// Writes the cosine distances that optics_select works with at one position: multiples of 2^-24 in [0, 2], symmetric
// to the last bit; equal examples have the distance 0 to each other and equal ones to the rest. Returns as
// optics_select does.
//
// examples: [N, C], contiguous, not empty. distances: output [N, N], contiguous.
bool optics_distances(const std::string& level, const TensorView& examples, const TensorView& distances);

// Writes the region of each example, or -1 for noise.
//
// distances: float64 [N, N], contiguous, not negative, rounded as kRounding of optics_order.h says.
// labels: output int64 [N]. min_samples: in [2, N].
void optics_labels(const std::string& level, const TensorView& distances, int64_t min_samples,
                   const TensorView& labels);

}  // namespace pybench
