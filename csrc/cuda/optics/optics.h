// Density clustering and selection of templates at many positions at once (HETMM, Sec. 3.3 and Alg. 1) on a CUDA
// device. Work is queued on `stream` of the current device, a cudaStream_t as an integer; nothing is allocated and
// nothing waits.
#pragma once

#include <cstdint>
#include <optional>

#include "shared/tensor_view.h"

namespace pybench::cuda {

// Examples at a position, at most.
constexpr int64_t kMostExamples = 2048;

// Writes the cosine distances of the examples at each position: multiples of 2^-24 in [0, 2], symmetric to the last bit;
// equal examples have the distance 0 to each other and equal ones to the rest. A NaN takes part as the distance 0.
//
// unit: vectors [P, N, C], scaled to unit length. distances: output [P, N, N]. Both contiguous.
void optics_distances(const TensorView& unit, const TensorView& distances, uint64_t stream);

// Writes the region of OPTICS that each example belongs to, numbered by first appearance; -1 for noise and for regions
// after the first `most`.
//
// distances: as optics_distances gives them. min_samples: in [2, N]. ranks: output int32 [P, N]. Both contiguous.
void optics_regions(const TensorView& distances, int64_t min_samples, int64_t most, const TensorView& ranks,
                    uint64_t stream);

// Writes K chosen examples for each position: the medoids of the regions, then those of the largest summed distance to
// all that are chosen. With `sums`, these are the summed distances to the centres of the regions, which are no examples:
// the first places, one for each region, are then left as they are. The smallest index wins ties.
//
// distances, ranks: as above, ranks below K. sums: float64 [P, N], or none. chosen: output int32 [P, K], 1 <= K <= N. All
// contiguous.
void optics_choose(const TensorView& distances, const TensorView& ranks, const std::optional<TensorView>& sums,
                   const TensorView& chosen, uint64_t stream);

}  // namespace pybench::cuda
