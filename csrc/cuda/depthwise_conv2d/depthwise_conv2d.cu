// The kernel of depthwise_conv2d, for the convolution and for its gradient: images are correlated with filters, without
// products outside the image. For the convolution, the filters are the kernels, and the outputs have the size of the
// images. For the gradient of the kernels, the filters are the gradients of the output, one for each image and of its
// size, and the outputs have the size of the kernels and are sums over images.
//
// A thread computes a strip of outputs side by side. It loops over the rows of the filter that overlap the image, and
// in each row over the taps. A window of the image's row moves through registers, so that 64 products need four reads
// of shared memory, 16 bytes each. Neighbouring threads have strips below each other, and the pitch of rows in shared
// memory is an odd multiple of 16 bytes, so that eight threads read from all banks. A block computes a tile of outputs,
// of several channels if images are small. It copies the tile of the image and a chunk of the filter to shared memory,
// chunk by chunk.

#include "cuda/depthwise_conv2d/depthwise_conv2d.h"
#include "cuda/shared/device.h"

#include <algorithm>

namespace pybench::cuda {
namespace {

constexpr int kWarp = 32;
constexpr int kStrip = 8;           // outputs of a thread, and taps in a step
constexpr int kUnit = 4;            // floats that are read at a time
constexpr int kMostRows = 32;       // of a tile
constexpr int kMostStrips = 8;      // of a row of a tile
constexpr int kMostTaps = 64;       // of a row of a chunk
constexpr int kFewestThreads = 64;  // of a block, where there are as many channels
constexpr size_t kMostShared = 48 << 10;
constexpr int kMostThreads = kMostRows * kMostStrips;
constexpr int64_t kLargestSide = 1 << 24;
constexpr int64_t kMostParts = 1 << 30;

struct Problem {
  const float* images;   // [image_count, channels, height, width]
  const float* filters;  // [channels, filter_height, filter_width], or `filter_per_image` [image_count, channels, ...]
  const float* bias;     // [channels], or null
  float* outputs;        // [groups, channels, output_height, output_width]
  int image_count, channels, groups;
  int height, width, filter_height, filter_width, output_height, output_width;
  bool filter_per_image, turned;  // by 180 degrees
  int radius_y, radius_x;         // output (y, x) and tap (i, j) meet at (y + i - radius_y, x + j - radius_x)
  int tile_rows, tile_strips, planes;                  // of a block: a tile of that many channels
  int tiles_y, tiles_x;
  int chunk_rows, chunk_taps, chunks_y, chunks_x;  // of a filter
  int parts, group_parts;                          // chunks of all images, and how many of them a group adds up
  int image_pitch, filter_pitch;                   // in shared memory
};

// What a block computes: some channels of a group, and there the tile that begins at (y, x).
struct Block {
  int group, channel, y, x;
  __device__ explicit Block(const Problem& problem) {
    const int sets = (problem.channels + problem.planes - 1) / problem.planes;
    int index = blockIdx.x;
    x = index % problem.tiles_x * problem.tile_strips * kStrip;
    index /= problem.tiles_x;
    y = index % problem.tiles_y * problem.tile_rows;
    index /= problem.tiles_y;
    channel = index % sets * problem.planes;
    group = index / sets;
  }
};

// A chunk of the filters that a group of images is correlated with.
struct Chunk {
  int image;
  int row, rows, tap, taps;  // the first and how many
  __device__ Chunk(const Problem& problem, int part) {
    tap = part % problem.chunks_x * problem.chunk_taps;
    part /= problem.chunks_x;
    row = part % problem.chunks_y * problem.chunk_rows;
    image = part / problem.chunks_y;
    rows = min(problem.chunk_rows, problem.filter_height - row);
    taps = min(problem.chunk_taps, problem.filter_width - tap);
  }
};

// Part of a plane [height, width] from (row, column) on.
struct Section {
  const float* plane;
  int height, width, row, column, rows, columns;
  bool turned;
};

// Copies a section to rows of shared memory; zeros beside the plane and from its last column to the end of the pitch. Rows
// above and below the plane are left out: no strip reads them. Returns whether all that this thread copied is finite.
__device__ bool copy_section(const Section& section, int pitch, float* shared) {
  const int64_t size = int64_t{section.height} * section.width;
  bool finite = true;
  for (int row = threadIdx.x / kWarp; row < section.rows; row += blockDim.x / kWarp) {
    const int y = section.row + row;
    if (y < 0 || y >= section.height) continue;
#pragma unroll 3
    for (int column = threadIdx.x % kWarp; column < pitch; column += kWarp) {
      const int x = section.column + column;
      const bool inside = column < section.columns && x >= 0 && x < section.width;
      const int64_t index = int64_t{y} * section.width + x;
      const float value = inside ? section.plane[section.turned ? size - 1 - index : index] : 0;
      shared[row * pitch + column] = value;
      finite = finite && fabsf(value) < INFINITY;
    }
  }
  return finite;
}

// sums[i] += filter[t] * image[t + i] for t in [0, kStrip * steps).
__device__ inline void slide(const float* image, const float* filter, int steps, float (&sums)[kStrip]) {
  const float4* pixels = reinterpret_cast<const float4*>(image);
  const float4* taps = reinterpret_cast<const float4*>(filter);
  float4 first = pixels[0], second = pixels[1];
#pragma unroll 2
  for (int step = 0; step < steps; ++step) {
    pixels += 2;
    const float4 third = pixels[0], fourth = pixels[1], low = taps[0], high = taps[1];
    taps += 2;
    const float window[2 * kStrip] = {first.x, first.y, first.z, first.w, second.x, second.y, second.z, second.w,
                                      third.x, third.y, third.z, third.w, fourth.x, fourth.y, fourth.z, fourth.w};
    const float tap[kStrip] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
    for (int t = 0; t < kStrip; ++t) {
#pragma unroll
      for (int i = 0; i < kStrip; ++i) sums[i] += tap[t] * window[t + i];
    }
    first = third;
    second = fourth;
  }
}

// The same for those t in [0, taps) whose pixel lies inside; `left` is the column of image[0], negative outside.
__device__ void slide_inside(const float* image, const float* filter, int taps, int left, int width,
                             float (&sums)[kStrip]) {
#pragma unroll
  for (int i = 0; i < kStrip; ++i) {
#pragma unroll 1
    for (int t = max(0, -left - i); t < min(taps, width - left - i); ++t) sums[i] += filter[t] * image[t + i];
  }
}

// A thread's strip of outputs, which begins at (y, x).
struct Strip {
  int y, x;
  float sums[kStrip];

  // Adds what a chunk contributes. image: that of shared memory which the strip's first output and the chunk's first tap
  // meet. finite: whether no NaN and no infinity can meet the zeros outside.
  __device__ void add(const Problem& problem, const Chunk& chunk, const float* image, const float* filter,
                      bool finite) {
    const int top = y + chunk.row - problem.radius_y, left = x + chunk.tap - problem.radius_x;
    const int begin = max(0, -left - kStrip + 1) / kUnit * kUnit;
    const int end = min(chunk.taps, problem.width - left);
    if (begin >= end) return;
    const int steps = (end - begin + kStrip - 1) / kStrip;
    for (int row = max(0, -top); row < min(chunk.rows, problem.height - top); ++row) {
      const float* pixels = image + row * problem.image_pitch;
      const float* taps = filter + row * problem.filter_pitch;
      if (finite) {
        slide(pixels + begin, taps + begin, steps, sums);
      } else {
        slide_inside(pixels, taps, chunk.taps, left, problem.width, sums);
      }
    }
  }
};

__global__ void __launch_bounds__(kMostThreads, 3) correlate_kernel(const Problem problem) {
  const Block block(problem);
  const int row = threadIdx.x % problem.tile_rows, strip_index = threadIdx.x / problem.tile_rows % problem.tile_strips;
  const int plane = threadIdx.x / problem.tile_rows / problem.tile_strips;
  const int channel = block.channel + plane;
  const bool exists = plane < problem.planes && channel < problem.channels;
  Strip strip{block.y + row, block.x + strip_index * kStrip, {}};

  const int image_size = (problem.tile_rows + problem.chunk_rows - 1) * problem.image_pitch;
  const int filter_size = problem.chunk_rows * problem.filter_pitch;
  float* images = reinterpret_cast<float*>(shared_memory());  // [planes, image_size]
  float* filters = images + problem.planes * image_size;      // [planes, filter_size]
  int* not_finite = reinterpret_cast<int*>(filters + problem.planes * filter_size);
  if (threadIdx.x == 0) *not_finite = 0;

  const int first = block.group * problem.group_parts;
  for (int part = first; part < min(first + problem.group_parts, problem.parts); ++part) {
    const Chunk chunk(problem, part);
    __syncthreads();  // all have done with the chunk before
    bool finite = true;
    for (int i = 0; i < problem.planes && block.channel + i < problem.channels; ++i) {
      const int64_t image = int64_t{chunk.image} * problem.channels + block.channel + i;
      const int64_t filter = problem.filter_per_image ? image : block.channel + i;
      const int64_t image_pixels = int64_t{problem.height} * problem.width;
      const int64_t filter_taps = int64_t{problem.filter_height} * problem.filter_width;
      const Section pixels{problem.images + image * image_pixels, problem.height, problem.width,
                           block.y + chunk.row - problem.radius_y, block.x + chunk.tap - problem.radius_x,
                           problem.tile_rows + chunk.rows - 1, problem.image_pitch, false};
      const Section taps{problem.filters + filter * filter_taps, problem.filter_height, problem.filter_width,
                         chunk.row, chunk.tap, chunk.rows, chunk.taps, problem.turned};
      finite &= copy_section(pixels, problem.image_pitch, images + i * image_size);
      finite &= copy_section(taps, problem.filter_pitch, filters + i * filter_size);
    }
    if (!finite) *not_finite = 1;
    __syncthreads();
    if (exists) {
      strip.add(problem, chunk, images + plane * image_size + row * problem.image_pitch + strip_index * kStrip,
                filters + plane * filter_size, *not_finite == 0);
    }
  }

  if (!exists || strip.y >= problem.output_height) return;
  const float bias = problem.bias ? problem.bias[channel] : 0;
  const int64_t output_plane = int64_t{block.group} * problem.channels + channel;
  float* output = problem.outputs + (output_plane * problem.output_height + strip.y) * problem.output_width + strip.x;
#pragma unroll
  for (int i = 0; i < kStrip; ++i) {
    if (strip.x + i < problem.output_width) output[i] = strip.sums[i] + bias;
  }
}

int divided_up(int64_t dividend, int64_t divisor) { return static_cast<int>((dividend + divisor - 1) / divisor); }

// The size of a part, a multiple of `unit`, when `whole` is divided evenly into as few parts of up to `most` as possible.
int even_part(int whole, int most, int unit) {
  const int units = divided_up(whole, unit);
  return divided_up(units, divided_up(units, most / unit)) * unit;
}

void launch_correlate(Problem problem, int most_chunk_rows, uint64_t stream) {
  const char* op = "depthwise_conv2d";
  if (problem.groups == 0 || problem.channels == 0) return;
  problem.tile_rows = even_part(problem.output_height, kMostRows, kStrip);
  problem.tile_strips = even_part(divided_up(problem.output_width, kStrip), kMostStrips, 1);
  problem.tiles_y = divided_up(problem.output_height, problem.tile_rows);
  problem.tiles_x = divided_up(problem.output_width, problem.tile_strips * kStrip);
  problem.chunk_rows = even_part(problem.filter_height, most_chunk_rows, 1);
  problem.chunk_taps = even_part(problem.filter_width, kMostTaps, kStrip);
  problem.chunks_y = divided_up(problem.filter_height, problem.chunk_rows);
  problem.chunks_x = divided_up(problem.filter_width, problem.chunk_taps);
  // One more unit than what is used: a strip may begin in the middle of a step, and pitches are odd numbers of units.
  problem.filter_pitch = problem.chunk_taps + kUnit;
  problem.image_pitch = problem.tile_strips * kStrip + problem.filter_pitch;
  const int threads_per_plane = problem.tile_rows * problem.tile_strips;
  const size_t plane_bytes = sizeof(float) * ((problem.tile_rows + problem.chunk_rows - 1) * problem.image_pitch +
                                              problem.chunk_rows * problem.filter_pitch);
  problem.planes = std::min(std::max(1, kFewestThreads / threads_per_plane), problem.channels);
  problem.planes = std::min(problem.planes, static_cast<int>((kMostShared - sizeof(int)) / plane_bytes));
  const int64_t sets = divided_up(problem.channels, problem.planes);
  const int64_t blocks = problem.groups * sets * problem.tiles_y * problem.tiles_x;
  const int64_t parts = int64_t{problem.image_count} * problem.chunks_y * problem.chunks_x;
  if (parts > kMostParts) throw std::invalid_argument("too many or too large images for one call");
  problem.parts = static_cast<int>(parts);
  problem.group_parts = divided_up(parts, problem.groups);
  launch(op, correlate_kernel, dim3(grid_size(op, blocks)),
         dim3(divided_up(problem.planes * threads_per_plane, kWarp) * kWarp),
         problem.planes * plane_bytes + sizeof(int), stream, problem);
}

// The part of a problem that is the same for the convolution and for its gradient.
Problem problem_of(const TensorView& x, int64_t kernel_height, int64_t kernel_width) {
  Problem problem{};
  problem.images = x.on_cuda<float>("x", 4);
  if (x.size(2) < 1 || x.size(3) < 1) throw std::invalid_argument("x must have pixels");
  x.require_contiguous("x", 4);
  if (kernel_height % 2 == 0 || kernel_width % 2 == 0) throw std::invalid_argument("weight must have odd sides");
  if (std::max({x.size(0), x.size(1), x.size(2), x.size(3), kernel_height, kernel_width}) > kLargestSide) {
    throw std::invalid_argument("no size may exceed " + std::to_string(kLargestSide));
  }
  problem.image_count = static_cast<int>(x.size(0));
  problem.channels = static_cast<int>(x.size(1));
  problem.height = static_cast<int>(x.size(2));
  problem.width = static_cast<int>(x.size(3));
  problem.radius_y = static_cast<int>(kernel_height / 2);
  problem.radius_x = static_cast<int>(kernel_width / 2);
  return problem;
}

}  // namespace

void depthwise_conv2d(const TensorView& x, const TensorView& weight, const std::optional<TensorView>& bias,
                      bool transposed, const TensorView& output, uint64_t stream) {
  constexpr int kMostChunkRows = 32;
  const float* filters = weight.on_cuda<float>("weight", 4);
  x.require_dimensions("x", 4);
  Problem problem = problem_of(x, weight.size(2), weight.size(3));
  weight.require_shape("weight", {x.size(1), 1, -1, -1});
  weight.require_contiguous("weight", 4);
  problem.filters = filters;
  if (bias) {
    problem.bias = bias->on_cuda<float>("bias", 1);
    bias->require_shape("bias", {x.size(1)});
    bias->require_contiguous("bias", 1);
  }
  problem.outputs = output.on_cuda<float>("output", 4);
  output.require_shape("output", {x.size(0), x.size(1), x.size(2), x.size(3)});
  output.require_contiguous("output", 4);
  problem.turned = transposed;
  problem.groups = problem.image_count;
  problem.filter_height = static_cast<int>(weight.size(2));
  problem.filter_width = static_cast<int>(weight.size(3));
  problem.output_height = problem.height;
  problem.output_width = problem.width;
  launch_correlate(problem, kMostChunkRows, stream);
}

void depthwise_conv2d_weight_gradient(const TensorView& output_gradient, const TensorView& x,
                                      const TensorView& partial, uint64_t stream) {
  constexpr int kMostChunkRows = 16;  // fewer, so that few images too make many parts
  float* outputs = partial.on_cuda<float>("partial", 5);
  const float* filters = output_gradient.on_cuda<float>("output_gradient", 4);
  x.require_dimensions("x", 4);
  Problem problem = problem_of(x, partial.size(3), partial.size(4));
  output_gradient.require_shape("output_gradient", {x.size(0), x.size(1), x.size(2), x.size(3)});
  output_gradient.require_contiguous("output_gradient", 4);
  partial.require_shape("partial", {-1, x.size(1), 1, -1, -1});
  partial.require_contiguous("partial", 5);
  problem.filters = filters;
  problem.filter_per_image = true;
  problem.outputs = outputs;
  problem.groups = static_cast<int>(std::min(partial.size(0), kMostParts));
  problem.filter_height = problem.height;
  problem.filter_width = problem.width;
  problem.output_height = static_cast<int>(partial.size(3));
  problem.output_width = static_cast<int>(partial.size(4));
  launch_correlate(problem, kMostChunkRows, stream);
}

}  // namespace pybench::cuda
