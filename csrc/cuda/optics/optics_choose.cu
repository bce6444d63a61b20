// Choice of examples, a warp for each position.

#include "cuda/optics/optics.h"
#include "cuda/optics/optics_warp.h"

namespace pybench::cuda {
namespace {

// The position that a warp has; arrays of [count] are in shared memory. Sums of float32 distances in float64 are exact:
// they do not depend on their order.
struct Position {
  const float* distances;  // [count, count]
  int count;
  double* sums;  // of the distances to all that are chosen; -infinity for these
  int* ranks;

  __device__ Position(const float* matrices, int count) : count(count) {
    distances = matrices + int64_t{blockIdx.x} * count * count;
    sums = reinterpret_cast<double*>(shared_memory());
    ranks = reinterpret_cast<int*>(sums + count);
  }

  // Loads the ranks and returns the number of regions.
  __device__ int load_ranks(const int* from) const {
    Candidate<int> last{0, 0};
    for (int i = threadIdx.x; i < count; i += kWarp) {
      ranks[i] = from[int64_t{blockIdx.x} * count + i];
      last.take_smaller(-ranks[i] - 1, 0);
    }
    __syncwarp();
    return -smallest_of_warp(last).value;
  }

  // Writes the medoid of each region, the member with the smallest summed distance to all members, and begins the sums.
  __device__ void choose_medoids(int regions, int* chosen) const {
    for (int i = threadIdx.x; i < count; i += kWarp) {
      double sum = 0;
      for (int j = 0; j < count; ++j) sum += ranks[j] == ranks[i] ? distances[j * count + i] : 0;
      sums[i] = sum;
    }
    __syncwarp();
    for (int region = 0; region < regions; ++region) {
      Candidate<double> medoid{INFINITY, count - 1};
      for (int i = threadIdx.x; i < count; i += kWarp) {
        if (ranks[i] == region) medoid.take_smaller(sums[i], i);
      }
      medoid = smallest_of_warp(medoid);
      if (threadIdx.x == 0) chosen[region] = medoid.index;
    }
    __syncwarp();
    for (int i = threadIdx.x; i < count; i += kWarp) {
      sums[i] = 0;
      for (int region = 0; region < regions; ++region) {
        sums[i] += chosen[region] == i ? -INFINITY : distances[chosen[region] * count + i];
      }
    }
  }

  // Adds the example of the largest sum.
  __device__ int choose_farthest() const {
    Candidate<double> farthest{INFINITY, count - 1};  // of the sums turned to the other side
    for (int i = threadIdx.x; i < count; i += kWarp) farthest.take_smaller(-sums[i], i);
    const int index = smallest_of_warp(farthest).index;
    for (int i = threadIdx.x; i < count; i += kWarp) {
      sums[i] += i == index ? -INFINITY : distances[index * count + i];
    }
    return index;
  }
};

__global__ void choose_kernel(const float* distances, const int* ranks, const double* sums, int count, int k,
                              int* chosen) {
  const Position position(distances, count);
  chosen += int64_t{blockIdx.x} * k;
  const int regions = min(position.load_ranks(ranks), k);
  if (sums) {
    for (int i = threadIdx.x; i < count; i += kWarp) position.sums[i] = sums[int64_t{blockIdx.x} * count + i];
  } else {
    position.choose_medoids(regions, chosen);
  }
  for (int i = regions; i < k; ++i) {
    const int index = position.choose_farthest();
    if (threadIdx.x == 0) chosen[i] = index;
  }
}

}  // namespace

void optics_choose(const TensorView& distances, const TensorView& ranks, const std::optional<TensorView>& sums,
                   const TensorView& chosen, uint64_t stream) {
  const char* op = "optics_select";
  const float* matrices = distances.on_cuda<float>("distances", 3);
  const int32_t* numbers = ranks.on_cuda<int32_t>("ranks", 2);
  int32_t* indices = chosen.on_cuda<int32_t>("chosen", 2);
  const double* begin = sums ? sums->on_cuda<double>("sums", 2) : nullptr;
  const int64_t positions = distances.size(0), count = distances.size(1), k = chosen.size(1);
  distances.require_shape("distances", {positions, count, count});
  distances.require_contiguous("distances", 3);
  ranks.require_shape("ranks", {positions, count});
  ranks.require_contiguous("ranks", 2);
  chosen.require_shape("chosen", {positions, -1});
  chosen.require_contiguous("chosen", 2);
  if (sums) {
    sums->require_shape("sums", {positions, count});
    sums->require_contiguous("sums", 2);
  }
  if (count > kMostExamples) throw std::invalid_argument("there must be at most 2048 examples");
  if (k < 1 || k > count) throw std::invalid_argument("chosen must hold from 1 to N examples");
  launch(op, choose_kernel, dim3(grid_size(op, positions)), dim3(kWarp), count * (sizeof(double) + sizeof(int)),
         stream, matrices, numbers, begin, static_cast<int>(count), static_cast<int>(k), indices);
}

}  // namespace pybench::cuda
