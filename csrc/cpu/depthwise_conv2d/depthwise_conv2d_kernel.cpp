// The inner loops of depthwise_conv2d, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES
// (floats per vector). Like all kernels they live in an anonymous namespace and use nothing of the standard library.

#include "cpu/depthwise_conv2d/depthwise_conv2d_kernel.h"

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;
// Size of a tile: outputs whose sums are in registers at a time. Fewer than eight sums do not hide the latency of two
// multiply-adds per cycle. The wider a tile, the more of its steps at a border compute only a part of it.
constexpr int kTileHeight = PYBENCH_LANES == 16 ? 4 : 3;
constexpr int kTileWidth = 4;
// So much of both planes is used for all tiles of some output rows before the next block: it stays in the L1 cache.
constexpr int64_t kBlockBytes = 16 << 10;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
typedef float UnalignedQuad __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline Vec load(const float* values) { return *(const Unaligned*)values; }

// --- correlation -----------------------------------------------------------------------------------------------------

// Where a tile of outputs lies on some rows of both planes: output (r, t) takes a[i][j] * b[i + r][j + t + shift].
struct Rows {
  const float* a;
  const float* b;
  int64_t count, a_width, b_width, shift;
};

// sums[r][t] += a * b[r][t] for First <= t < Last.
template <int Height, int Width, int First, int Last>
inline __attribute__((always_inline)) void step(const float* a, const float* b, int64_t b_step,
                                                Vec (&sums)[Height][Width]) {
  const Vec factor = load(a);
#pragma GCC unroll 16
  for (int r = 0; r < Height; ++r) {
#pragma GCC unroll 16
    for (int t = First; t < Last; ++t) sums[r][t] += factor * load(b + r * b_step + t * kLanes);
  }
}

// Two steps at once: each vector of b is loaded for both. The asm and the volatile are for the compiler. It must not
// compute each address again (the asm hides how the rows of b are related), not load a vector twice because the second
// load fits into an instruction (volatile), and not keep vectors for the next two steps: there are no registers left.
template <int Height, int Width>
inline __attribute__((always_inline)) void two_steps(const float* a, const float* b, int64_t b_step,
                                                     Vec (&sums)[Height][Width]) {
  const Vec first = load(a), second = load(a + kLanes);
#pragma GCC unroll 16
  for (int r = 0; r < Height; ++r) {
    const float* row = b + r * b_step;
    asm("" : "+r"(row));
#pragma GCC unroll 16
    for (int t = 0; t <= Width; ++t) {
      const Vec value = *(const volatile Unaligned*)(row + t * kLanes);
      if (t < Width) sums[r][t] += first * value;
      if (t > 0) sums[r][t - 1] += second * value;
    }
  }
}

// The steps at which outputs on the left lie before b's begin: all but one at most, in the end only one. `a` and `b`
// are where the first output enters.
template <int Missing, int Height, int Width>
inline __attribute__((always_inline)) void ramp_up(int64_t most, const float* a, const float* b, int64_t b_step,
                                                   Vec (&sums)[Height][Width]) {
  if constexpr (Missing < Width) {
    if (Missing > most) return;
    ramp_up<Missing + 1>(most, a, b, b_step, sums);
    step<Height, Width, Missing, Width>(a - Missing * kLanes, b - Missing * kLanes, b_step, sums);
  }
}

// The steps at which outputs on the right lie behind b's end: first one, then one more each. `a` and `b` are where the
// first output leaves.
template <int Left, int Height, int Width>
inline __attribute__((always_inline)) void ramp_down(int64_t fewest, const float* a, const float* b, int64_t b_step,
                                                     Vec (&sums)[Height][Width]) {
  if constexpr (Left > 0) {
    if (Left < fewest) return;
    step<Height, Width, 0, Left>(a - Left * kLanes, b - Left * kLanes, b_step, sums);
    ramp_down<Left - 1>(fewest, a, b, b_step, sums);
  }
}

// Adds all products of the rows to Height x Width outputs, each of which has some; b is at least that wide.
template <int Height, int Width>
void tile(const Rows& rows, float* outputs, int64_t output_step) {
  const int64_t b_step = rows.b_width * kLanes;
  const int64_t enters = -rows.shift, leaves = rows.b_width - rows.shift;  // steps at which the first output does
  const int64_t begin = larger(0, enters), end = smaller(rows.a_width, leaves - Width + 1);
  Vec sums[Height][Width] = {};
  const float* a = rows.a;
  const float* b = rows.b;
  for (int64_t i = 0; i < rows.count; ++i, a += rows.a_width * kLanes, b += b_step) {
    ramp_up<1>(enters, a + enters * kLanes, b, b_step, sums);
    int64_t j = begin;
    for (; j + 1 < end; j += 2) two_steps(a + j * kLanes, b + (j + rows.shift) * kLanes, b_step, sums);
    if (j < end) step<Height, Width, 0, Width>(a + j * kLanes, b + (j + rows.shift) * kLanes, b_step, sums);
    ramp_down<Width - 1>(leaves - rows.a_width + 1, a + leaves * kLanes, b + b_step, b_step, sums);
  }
#pragma GCC unroll 16
  for (int r = 0; r < Height; ++r) {
#pragma GCC unroll 16
    for (int t = 0; t < Width; ++t) *(Unaligned*)(outputs + r * output_step + t * kLanes) += sums[r][t];
  }
}

template <int Height, int Width>
void tile_of(int64_t height, int64_t width, const Rows& rows, float* outputs, int64_t output_step) {
  if constexpr (Height > 1) {
    if (height < Height) return tile_of<Height - 1, Width>(height, width, rows, outputs, output_step);
  }
  if constexpr (Width > 1) {
    if (width < Width) return tile_of<Height, Width - 1>(height, width, rows, outputs, output_step);
  }
  tile<Height, Width>(rows, outputs, output_step);
}

// [begin, end) in as few parts of at most `most` as can be, of balanced sizes: 31 are 4 + 4 + 4 + 4 + 4 + 4 + 4 + 3.
struct Parts {
  int64_t begin, count, size, longer;  // the first `longer` parts have one more than `size`

  Parts(int64_t first, int64_t end, int64_t most) : begin(first), count((end - first + most - 1) / most) {
    size = count > 0 ? (end - first) / count : 0;
    longer = end - first - size * count;
  }
  int64_t at(int64_t part) const { return begin + part * size + smaller(part, longer); }
};

// What `correlate` takes, and how it divides its work.
struct Correlation {
  const Plane &a, &b;
  int64_t top, left;
  const Plane& sums;
  Parts columns;  // of the outputs that have any product
  int64_t block;  // rows of a
};

// Adds the products of the rows [first, last) of a, which all of them take, to `height` rows of outputs from y on.
void rows_of_tiles(const Correlation& it, int64_t first, int64_t last, int64_t y, int64_t height) {
  for (int64_t i = first; i < last; i += it.block) {
    Rows rows{it.a.values + i * it.a.width * kLanes, it.b.values + (i + y + it.top) * it.b.width * kLanes,
              smaller(it.block, last - i), it.a.width, it.b.width, 0};
    for (int64_t part = 0; part < it.columns.count; ++part) {
      const int64_t x = it.columns.at(part);
      rows.shift = x + it.left;
      tile_of<kTileHeight, kTileWidth>(height, it.columns.at(part + 1) - x, rows,
                                       it.sums.values + (y * it.sums.width + x) * kLanes, it.sums.width * kLanes);
    }
  }
}

void correlate(const Plane& a, const Plane& b, int64_t top, int64_t left, const Plane& sums) {
  const Parts columns(larger(0, 1 - left - a.width), smaller(sums.width, b.width - left), smaller(kTileWidth, b.width));
  const int64_t block = larger(1, kBlockBytes / ((a.width + b.width) * kLanes * (int64_t)sizeof(float)));
  const Correlation it{a, b, top, left, sums, columns, block};
  const Parts tiles(0, sums.height, kTileHeight);
  for (int64_t n = 0; n < tiles.count; ++n) {
    const int64_t y = tiles.at(n), next = tiles.at(n + 1);
    // Rows of a that some and that all rows of the tile take.
    const int64_t first = larger(0, 1 - next - top), last = smaller(a.height, b.height - top - y);
    const int64_t begin = larger(0, -(y + top)), end = larger(begin, smaller(a.height, b.height - top - next + 1));
    rows_of_tiles(it, begin, end, y, next - y);
    for (int64_t i = first; i < last; ++i) {
      if (begin <= i && i < end) continue;
      const int64_t from = larger(y, -(i + top)), to = smaller(next, b.height - top - i);
      if (from < to) rows_of_tiles(it, i, i + 1, from, to - from);
    }
  }
}

// --- packing ---------------------------------------------------------------------------------------------------------

// Four by four values, from rows at distance `from_step` to columns at distance `to_step`.
inline void transpose(const float* from, int64_t from_step, float* to, int64_t to_step) {
  Quad rows[4];
  for (int i = 0; i < 4; ++i) rows[i] = *(const UnalignedQuad*)(from + i * from_step);
  const Quad a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const Quad b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const Quad c = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const Quad d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  *(UnalignedQuad*)to = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  *(UnalignedQuad*)(to + to_step) = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  *(UnalignedQuad*)(to + 2 * to_step) = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  *(UnalignedQuad*)(to + 3 * to_step) = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

// Where a lane of the first pixel lies in the planes of a group.
inline int64_t lane_offset(int64_t lane, int64_t pixels) { return lane / kLanes * pixels * kLanes + lane % kLanes; }

void pack(const float* values, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
          bool reversed, float* planes) {
  const int64_t step = reversed ? -kLanes : kLanes;
  float* to = reversed ? planes + (pixels - 1) * kLanes : planes;
  int64_t pixel = 0;
  if (channels == kGroupChannels && channel_step == 1) {
    for (; pixel < pixels; ++pixel) {
      for (int lane = 0; lane < kGroupChannels; lane += kLanes) {
        *(Unaligned*)(to + pixel * step + lane_offset(lane, pixels)) = load(values + pixel * pixel_step + lane);
      }
    }
  } else if (channels == kGroupChannels && pixel_step == 1) {
    // Few channels at a time: all of them may lie in one set of the cache.
    for (int lane = 0; lane < kGroupChannels; lane += 4) {
      for (pixel = 0; pixel + 4 <= pixels; pixel += 4) {
        transpose(values + pixel + lane * channel_step, channel_step, to + pixel * step + lane_offset(lane, pixels),
                  step);
      }
    }
  }
  for (; pixel < pixels; ++pixel) {
    for (int64_t lane = 0; lane < kGroupChannels; ++lane) {
      to[pixel * step + lane_offset(lane, pixels)] =
          lane < channels ? values[pixel * pixel_step + lane * channel_step] : 0;
    }
  }
}

void unpack(const float* planes, int64_t pixels, int64_t pixel_step, int64_t channels, int64_t channel_step,
            float* values) {
  int64_t pixel = 0;
  if (channels == kGroupChannels && channel_step == 1) {
    for (; pixel < pixels; ++pixel) {
      for (int lane = 0; lane < kGroupChannels; lane += kLanes) {
        *(Unaligned*)(values + pixel * pixel_step + lane) = load(planes + pixel * kLanes + lane_offset(lane, pixels));
      }
    }
  } else if (channels == kGroupChannels && pixel_step == 1) {
    for (int lane = 0; lane < kGroupChannels; lane += 4) {
      for (pixel = 0; pixel + 4 <= pixels; pixel += 4) {
        transpose(planes + pixel * kLanes + lane_offset(lane, pixels), kLanes, values + pixel + lane * channel_step,
                  channel_step);
      }
    }
  }
  for (; pixel < pixels; ++pixel) {
    for (int64_t lane = 0; lane < channels; ++lane) {
      values[pixel * pixel_step + lane * channel_step] = planes[pixel * kLanes + lane_offset(lane, pixels)];
    }
  }
}

}  // namespace

namespace PYBENCH_LEVEL {
const DepthwiseKernels depthwise_conv2d_kernels = {kLanes, pack, unpack, correlate};
}  // namespace PYBENCH_LEVEL

}  // namespace pybench
