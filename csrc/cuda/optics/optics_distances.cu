#include "cuda/optics/optics.h"
#include "cuda/shared/device.h"

namespace pybench::cuda {
namespace {

constexpr int kTile = 64;     // rows, and columns, of products that a block computes
constexpr int kDepth = 16;    // channels that are in shared memory at a time
constexpr int kSide = 4;      // rows, and columns, of a thread
constexpr int kSides = kTile / kSide;
constexpr int kThreads = kSides * kSides;
constexpr int kPitch = kTile + 4;
constexpr int kGroup = kThreads / kTile;  // threads that load a row

// Copies channels of rows of unit vectors [count, channels] to shared memory, a row of it for each channel; zeros outside.
__device__ void load_rows(const float* unit, int first_row, int count, int first_channel, int channels,
                          float (*shared)[kPitch]) {
  const int row = threadIdx.x / kGroup;
#pragma unroll
  for (int i = 0; i < kDepth / kGroup; ++i) {
    const int depth = threadIdx.x % kGroup * (kDepth / kGroup) + i, channel = first_channel + depth;
    const bool inside = first_row + row < count && channel < channels;
    shared[depth][row] = inside ? unit[int64_t{first_row + row} * channels + channel] : 0;
  }
}

// A tile of products on or above the diagonal. Each product is one chain of additions over the channels, whichever factor
// is the row: equal pairs have equal products to the last bit.
__global__ void products_kernel(const float* unit, int count, int channels, int pairs, float* products) {
  const int64_t position = blockIdx.x / pairs;
  unit += position * count * channels;
  products += position * count * count;
  int column_tile = 0, row_tile = blockIdx.x % pairs;
  while (row_tile > column_tile) row_tile -= ++column_tile;
  const int first_row = row_tile * kTile, first_column = column_tile * kTile;

  float(*rows)[kPitch] = reinterpret_cast<float(*)[kPitch]>(shared_memory());
  float(*columns)[kPitch] = rows + kDepth;
  const int own_row = threadIdx.x / kSides * kSide, own_column = threadIdx.x % kSides * kSide;
  float sums[kSide][kSide] = {};
  for (int channel = 0; channel < channels; channel += kDepth) {
    __syncthreads();  // all have done with the channels before
    load_rows(unit, first_row, count, channel, channels, rows);
    load_rows(unit, first_column, count, channel, channels, columns);
    __syncthreads();
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth) {
      const float4 a = *reinterpret_cast<const float4*>(&rows[depth][own_row]);
      const float4 b = *reinterpret_cast<const float4*>(&columns[depth][own_column]);
      const float left[kSide] = {a.x, a.y, a.z, a.w}, right[kSide] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
#pragma unroll
        for (int j = 0; j < kSide; ++j) sums[i][j] += left[i] * right[j];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kSide; ++i) {
#pragma unroll
    for (int j = 0; j < kSide; ++j) {
      const int row = first_row + own_row + i, column = first_column + own_column + j;
      if (row < count && column < count) products[int64_t{row} * count + column] = sums[i][j];
    }
  }
}

// Turns products on and above the diagonal into distances on both sides. The distance is half the squared Euclidean
// distance of the unit vectors: as 1 - cosine, but exactly 0 between equal ones in spite of the rounding of their length.
// A vector that could not be scaled to unit length is near zero, and its half is that of a unit vector.
__global__ void distances_kernel(int count, float* matrix) {
  matrix += int64_t{blockIdx.x} * count * count;
  float* halves = reinterpret_cast<float*>(shared_memory());
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const float square = matrix[int64_t{i} * count + i];
    halves[i] = square > 0.99f ? square / 2 : 0.5f;
  }
  __syncthreads();
  for (int row = 0; row < count; ++row) {
    for (int column = row + threadIdx.x; column < count; column += blockDim.x) {
      float* above = matrix + int64_t{row} * count + column;
      const float distance = fminf(fmaxf(halves[row] + halves[column] - *above, 0), 2);
      *above = row == column ? 0 : distance;
      matrix[int64_t{column} * count + row] = *above;
    }
  }
}

}  // namespace

void optics_distances(const TensorView& unit, const TensorView& distances, uint64_t stream) {
  const char* op = "optics_select";
  const float* vectors = unit.on_cuda<float>("unit", 3);
  float* matrices = distances.on_cuda<float>("distances", 3);
  const int64_t positions = unit.size(0), count = unit.size(1), channels = unit.size(2);
  unit.require_contiguous("unit", 3);
  distances.require_shape("distances", {positions, count, count});
  distances.require_contiguous("distances", 3);
  if (count < 1 || count > kMostExamples) throw std::invalid_argument("there must be from 1 to 2048 examples");
  if (channels > INT32_MAX - kDepth) throw std::invalid_argument("there must be fewer than 2^31 channels");
  const int64_t tiles = (count + kTile - 1) / kTile, pairs = tiles * (tiles + 1) / 2;
  launch(op, products_kernel, dim3(grid_size(op, positions * pairs)), dim3(kThreads),
         2 * kDepth * kPitch * sizeof(float), stream, vectors, static_cast<int>(count), static_cast<int>(channels),
         static_cast<int>(pairs), matrices);
  launch(op, distances_kernel, dim3(grid_size(op, positions)), dim3(kThreads), count * sizeof(float), stream,
         static_cast<int>(count), matrices);
}

}  // namespace pybench::cuda
