// Regions of OPTICS, a warp for each position. The lanes divide the work where they can, mainly over the distances of
// an example to all others. One lane extracts the regions from the plot; meanwhile the other warps go on.

#include "cuda/optics/optics.h"
#include "cuda/optics/optics_warp.h"
#include "cuda/optics/optics_xi.h"

namespace pybench::cuda {
namespace {

constexpr float kOne = 1 << 24;  // distances are multiples of its inverse

// Distances are rounded to 15 decimals as by scikit-learn. For multiples of 2^-24 that changes no comparison but those of
// the plot.
__device__ double rounded(double distance) { return nearbyint(distance * 1e15) / 1e15; }

// The shared memory of a warp.
struct Scratch {
  double* plot;  // [count + 1], reachability by place, with an infinity behind the last
  SteepDownArea* areas;
  // By example: how near it is to those with a place, -1 once it has one itself; its core distance; the place from which
  // it is reached.
  float *reachability, *core;
  int* predecessors;
  // By place.
  int *examples, *plot_predecessors, *labels;
  signed char* slopes;

  static constexpr size_t kBytesPerExample = sizeof(double) + sizeof(SteepDownArea) + 6 * sizeof(int) + 1;

  __device__ explicit Scratch(int count) {
    plot = reinterpret_cast<double*>(shared_memory());
    areas = reinterpret_cast<SteepDownArea*>(plot + count + 1);
    reachability = reinterpret_cast<float*>(areas + count);
    core = reachability + count;
    predecessors = reinterpret_cast<int*>(core + count);
    examples = predecessors + count;
    plot_predecessors = examples + count;
    labels = plot_predecessors + count;
    slopes = reinterpret_cast<signed char*>(labels + count);
  }
};

// The min_samples-th smallest distance of a column, digit by digit: the largest one below which fewer lie. The matrix is
// symmetric, so that the rows pass by for all lanes at once.
__device__ float core_distance(const float* column, int count, int min_samples) {
  constexpr int kBits = 3, kDigits = (1 << kBits) - 1;
  int found = 0;
  for (int shift = 24; shift >= 0; shift -= kBits) {
    int below[kDigits] = {};
#pragma unroll 4
    for (int row = 0; row < count; ++row) {
      const int distance = static_cast<int>(column[row * count] * kOne);
#pragma unroll
      for (int digit = 0; digit < kDigits; ++digit) below[digit] += distance < found + ((digit + 1) << shift);
    }
    int digits = 0;
#pragma unroll
    for (int digit = 0; digit < kDigits; ++digit) digits += below[digit] < min_samples;
    found += digits << shift;
  }
  return found / kOne;
}

// Order of OPTICS without a limit on the distance: the nearest of those that wait is next.
__device__ void find_order(const float* distances, int count, const Scratch& scratch) {
  const int lane = threadIdx.x;
  for (int i = lane; i < count; i += kWarp) {
    scratch.reachability[i] = INFINITY;
    scratch.predecessors[i] = -1;
  }
  __syncwarp();
  int next = 0;
  for (int place = 0; place < count; ++place) {
    if (lane == next % kWarp) {  // the lane that goes over this example
      scratch.examples[place] = next;
      scratch.plot[place] = scratch.reachability[next];
      scratch.plot_predecessors[place] = scratch.predecessors[next];
      scratch.reachability[next] = -1;
    }
    const float* row = distances + next * count;
    const float own = scratch.core[next];
    Candidate<float> nearest{INFINITY, count - 1};
#pragma unroll 4
    for (int i = lane; i < count; i += kWarp) {
      const float through = fmaxf(row[i], own);
      float reachability = scratch.reachability[i];
      if (through < reachability) {
        scratch.reachability[i] = reachability = through;
        scratch.predecessors[i] = place;
      }
      if (reachability >= 0) nearest.take_smaller(reachability, i);
    }
    next = smallest_of_warp(nearest).index;
  }
}

__global__ void regions_kernel(const float* distances, int count, int min_samples, int most, int* ranks) {
  const int lane = threadIdx.x;
  const Scratch scratch(count);
  distances += int64_t{blockIdx.x} * count * count;
  ranks += int64_t{blockIdx.x} * count;
  for (int i = lane; i < count; i += kWarp) scratch.core[i] = core_distance(distances + i, count, min_samples);
  __syncwarp();
  find_order(distances, count, scratch);
  __syncwarp();

  for (int place = lane; place <= count; place += kWarp) {
    scratch.plot[place] = place < count ? rounded(scratch.plot[place]) : INFINITY;
    if (place < count) scratch.labels[place] = -1;
  }
  __syncwarp();
  for (int place = lane; place < count; place += kWarp) {
    scratch.slopes[place] = slope_of(scratch.plot[place], scratch.plot[place + 1]);
  }
  __syncwarp();
  if (lane == 0) {
    Extraction extraction{scratch.plot,  scratch.plot_predecessors, scratch.slopes, count, min_samples,
                          scratch.areas, scratch.labels};
    extraction.run();
  }
  __syncwarp();

  int* labels = scratch.predecessors;    // by example now
  int* rank_of = scratch.plot_predecessors;
  for (int place = lane; place < count; place += kWarp) {
    labels[scratch.examples[place]] = scratch.labels[place];
    rank_of[place] = -1;
  }
  __syncwarp();
  if (lane == 0) {
    int rank = 0;
    for (int i = 0; i < count; ++i) {
      if (labels[i] >= 0 && rank_of[labels[i]] < 0 && rank < most) rank_of[labels[i]] = rank++;
    }
  }
  __syncwarp();
  for (int i = lane; i < count; i += kWarp) ranks[i] = labels[i] < 0 ? -1 : rank_of[labels[i]];
}

}  // namespace

void optics_regions(const TensorView& distances, int64_t min_samples, int64_t most, const TensorView& ranks,
                    uint64_t stream) {
  const char* op = "optics_select";
  const float* matrices = distances.on_cuda<float>("distances", 3);
  int32_t* numbers = ranks.on_cuda<int32_t>("ranks", 2);
  const int64_t positions = distances.size(0), count = distances.size(1);
  distances.require_shape("distances", {positions, count, count});
  distances.require_contiguous("distances", 3);
  ranks.require_shape("ranks", {positions, count});
  ranks.require_contiguous("ranks", 2);
  if (count > kMostExamples) throw std::invalid_argument("there must be at most 2048 examples");
  if (min_samples < 2 || min_samples > count) throw std::invalid_argument("min_samples must lie in [2, N]");
  if (most < 1 || most > count) throw std::invalid_argument("most must lie in [1, N]");
  launch(op, regions_kernel, dim3(grid_size(op, positions)), dim3(kWarp),
         count * Scratch::kBytesPerExample + sizeof(double), stream, matrices, static_cast<int>(count),
         static_cast<int>(min_samples), static_cast<int>(most), numbers);
}

}  // namespace pybench::cuda
