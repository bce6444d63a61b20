#include "cuda/mutual_match/mutual_match.h"
#include "cuda/shared/device.h"

namespace pybench::cuda {
namespace {

constexpr int kPositions = 8;  // of a block: a sector of memory for each channel
constexpr int kGroups = 32;    // of threads that share the channels
constexpr int kStepHalves = 32;

// The sum over all groups, for each position of the block.
__device__ float sum_of_groups(float value) {
  float* sums = reinterpret_cast<float*>(shared_memory());
  sums[threadIdx.y * kPositions + threadIdx.x] = value;
  __syncthreads();
  float sum = 0;
  for (int group = 0; group < kGroups; ++group) sum += sums[group * kPositions + threadIdx.x];
  return sum;
}

template <bool Split>
__global__ void unit_rows_kernel(const float* features, int channels, int64_t positions, int64_t blocks_per_image,
                                 int steps, float epsilon, uint32_t* rows) {
  constexpr int kChannels = Split ? kStepHalves / 2 : kStepHalves;  // of a step
  const int64_t image = blockIdx.x / blocks_per_image;
  const int64_t position = blockIdx.x % blocks_per_image * kPositions + threadIdx.x;
  const bool inside = position < positions;
  const float* column = features + image * channels * positions + position;
  float square = 0;
  for (int channel = threadIdx.y; inside && channel < channels; channel += kGroups) {
    const float value = column[channel * positions];
    square += value * value;
  }
  const float length = sqrtf(sum_of_groups(square));
  const float scale = length < epsilon ? 1 / epsilon : 1 / length;
  if (!inside) return;
  uint32_t* row = rows + (image * positions + position) * steps * (kStepHalves / 2);
  for (int step = threadIdx.y; step < steps; step += kGroups) {
#pragma unroll
    for (int i = 0; i < kChannels; i += 2) {
      float values[2];
      for (int j = 0; j < 2; ++j) {
        // What mutual_match.cu multiplies as pair p of 16 channels is p % 4 + 8 (p / 4) and the fourth after it, where
        // `Split`.
        const int channel = step * kChannels + (Split ? i / 2 % 4 + i / 8 * 8 + 4 * j : i + j);
        values[j] = channel < channels ? column[channel * positions] * scale : 0;
      }
      const uint32_t rounded = pack_halves(values[0], values[1]);
      row[step * (kStepHalves / 2) + i / 2] = rounded;
      if (Split) {
        const float2 back = unpack_halves(rounded);
        row[step * (kStepHalves / 2) + kChannels / 2 + i / 2] = pack_halves(values[0] - back.x, values[1] - back.y);
      }
    }
  }
}

}  // namespace

void unit_rows(const TensorView& features, float epsilon, bool split, const TensorView& rows, uint64_t stream) {
  const float* columns = features.on_cuda<float>("features", 3);
  uint16_t* halves = rows.on_cuda<uint16_t>("rows", 3);
  const int64_t images = features.size(0), channels = features.size(1), positions = features.size(2);
  features.require_contiguous("features", 3);
  rows.require_shape("rows", {images, positions, -1});
  rows.require_contiguous("rows", 3);
  const int64_t steps = rows.size(2) / kStepHalves;
  if (rows.size(2) % kStepHalves != 0 || steps * (split ? kStepHalves / 2 : kStepHalves) < channels) {
    throw std::invalid_argument("rows must hold whole steps for all channels");
  }
  const int64_t blocks_per_image = (positions + kPositions - 1) / kPositions;
  launch("mutual_match", split ? unit_rows_kernel<true> : unit_rows_kernel<false>,
         dim3(grid_size("mutual_match", images * blocks_per_image)), dim3(kPositions, kGroups),
         kPositions * kGroups * sizeof(float), stream, columns, static_cast<int>(channels), positions,
         blocks_per_image, static_cast<int>(steps), epsilon, reinterpret_cast<uint32_t*>(halves));
}

}  // namespace pybench::cuda
