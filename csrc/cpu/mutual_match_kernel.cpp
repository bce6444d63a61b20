// The inner loop of mutual_match, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES (floats per
// vector). Everything lives in an anonymous namespace and uses nothing of the standard library: an inline function
// compiled here with wide instructions could otherwise be the copy that the linker keeps for every other file.

#include "pybench/mutual_match_kernel.h"

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;
constexpr int kVectors = kPanelLanes / kLanes;  // per panel and channel
// Accumulators of one tile, plus one channel of its panels and one broadcast, fill the registers: 6 x 4 of AVX-512's 32,
// 6 x 2 of AVX2's 16, 3 x 4 of SSE2's 16.
constexpr int kTilePanels = PYBENCH_LANES == 16 ? 4 : 1;
constexpr int kTilePixels = PYBENCH_LANES == 4 ? 3 : 6;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int Mask __attribute__((vector_size(kLanes * sizeof(int))));
typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
typedef float UnalignedQuad __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int QuadMask __attribute__((vector_size(4 * sizeof(int))));

// Lane-wise maximum that keeps a NaN of either side: an ordered maximum keeps that of `old`, and the mask of unordered
// lanes (all bits set, itself a NaN) puts in that of `fresh`.
template <typename Vector, typename VectorMask>
inline Vector nan_max(Vector fresh, Vector old) {
  const Vector larger = fresh > old ? fresh : old;
  return (Vector)((VectorMask)larger | (VectorMask)(fresh != fresh));
}

// Adds the dot products over `depth` channels to sums[pixel][lane]. `panel_size` is the distance between panels.
template <int Pixels, int Panels>
inline void tile(const float* const* pixels, int64_t first_channel, const float* panels, int64_t panel_size,
                 int64_t depth, float* sums) {
  constexpr int kRow = Panels * kVectors;
  const float* rows[Pixels];
  for (int i = 0; i < Pixels; ++i) rows[i] = pixels[i] + first_channel;
  Unaligned* stored = (Unaligned*)sums;
  Vec accumulators[Pixels][kRow];
#pragma GCC unroll 32
  for (int i = 0; i < Pixels * kRow; ++i) accumulators[i / kRow][i % kRow] = stored[i];
  for (int64_t channel = 0; channel < depth; ++channel) {
    Vec templates[kRow];
#pragma GCC unroll 16
    for (int v = 0; v < kRow; ++v) {
      const int64_t panel = v / kVectors;
      const int64_t lane = v % kVectors * kLanes;
      templates[v] = *(const Unaligned*)(panels + panel * panel_size + channel * kPanelLanes + lane);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < kRow; ++v) accumulators[i][v] += rows[i][channel] * templates[v];
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < Pixels * kRow; ++i) stored[i] = accumulators[i / kRow][i % kRow];
}

template <int Pixels, int Panels>
void tile_of(int64_t pixel_count, const float* const* pixels, int64_t first_channel, const float* panels,
             int64_t panel_size, int64_t depth, float* sums) {
  if constexpr (Pixels > 1) {
    if (pixel_count < Pixels) {
      return tile_of<Pixels - 1, Panels>(pixel_count, pixels, first_channel, panels, panel_size, depth, sums);
    }
  }
  tile<Pixels, Panels>(pixels, first_channel, panels, panel_size, depth, sums);
}

// sums[pixel][lane] = dot products of all pixels with `Panels` panels, over blocks of channels that keep a panel in the
// first-level cache. Tiles have balanced heights: 25 pixels are 5 x 5, not 4 x 6 + 1. The block that is needed next is
// fetched meanwhile in equal shares; after the last one that is the first of the panels that lie behind these.
template <int Panels>
void multiply(const float* const* pixels, int64_t pixel_count, const float* panels, int64_t channels, float* sums) {
  constexpr int64_t kBlock = 256;
  constexpr int64_t kLane = Panels * kPanelLanes;
  const int64_t panel_size = channels * kPanelLanes;
  const int64_t tiles = (pixel_count + kTilePixels - 1) / kTilePixels;
  for (int64_t i = 0; i < pixel_count * kLane; ++i) sums[i] = 0;
  for (int64_t channel = 0; channel < channels; channel += kBlock) {
    const int64_t depth = channels - channel < kBlock ? channels - channel : kBlock;
    const float* block = panels + channel * kPanelLanes;
    const float* next = channel + kBlock < channels ? block + kBlock * kPanelLanes : panels + Panels * panel_size;
    int64_t fetched = 0;
    for (int64_t i = 0, begin = 0; i < tiles; ++i) {
      const int64_t end = (i + 1) * pixel_count / tiles;
      for (; fetched < (i + 1) * depth / tiles; ++fetched) {
        for (int panel = 0; panel < Panels; ++panel) {
          __builtin_prefetch(next + panel * panel_size + fetched * kPanelLanes, 0, 2);
        }
      }
      tile_of<kTilePixels, Panels>(end - begin, pixels + begin, channel, block, panel_size, depth,
                                   sums + begin * kLane);
      begin = end;
    }
  }
}

// best[pixel][lane] = maximum (or, for the first panels, the value) over `Panels` panels of the dot products.
template <int Panels>
void fold(const float* sums, int64_t pixel_count, bool first, float* best) {
  const Unaligned* from = (const Unaligned*)sums;
  Unaligned* to = (Unaligned*)best;
  for (int64_t i = 0; i < pixel_count; ++i, from += Panels * kVectors, to += kVectors) {
    for (int v = 0; v < kVectors; ++v) {
      Vec maximum = from[v];
      for (int panel = 1; panel < Panels; ++panel) {
        maximum = nan_max<Vec, Mask>(from[panel * kVectors + v], maximum);
      }
      to[v] = first ? maximum : nan_max<Vec, Mask>(maximum, to[v]);
    }
  }
}

float largest_lane(const float* lanes) {
  Quad quad = *(const UnalignedQuad*)lanes;
  for (int i = 4; i < kPanelLanes; i += 4) {
    quad = nan_max<Quad, QuadMask>(*(const UnalignedQuad*)(lanes + i), quad);
  }
  quad = nan_max<Quad, QuadMask>(__builtin_shufflevector(quad, quad, 2, 3, 0, 1), quad);
  quad = nan_max<Quad, QuadMask>(__builtin_shufflevector(quad, quad, 1, 0, 3, 2), quad);
  return quad[0];
}

template <int Panels>
void match(const float* const* pixels, int64_t pixel_count, const float* panels, int64_t channels, bool first,
           float* scratch) {
  float* sums = scratch + pixel_count * kPanelLanes;
  multiply<Panels>(pixels, pixel_count, panels, channels, sums);
  fold<Panels>(sums, pixel_count, first, scratch);
}

void maxima_of_position(const float* const* pixels, int64_t pixel_count, const float* panels, int64_t panel_count,
                        int64_t channels, float* scratch, float* maxima) {
  const int64_t panel_size = channels * kPanelLanes;
  int64_t panel = 0;
  for (; panel + kTilePanels <= panel_count; panel += kTilePanels) {
    match<kTilePanels>(pixels, pixel_count, panels + panel * panel_size, channels, panel == 0, scratch);
  }
  for (; panel < panel_count; ++panel) {
    match<1>(pixels, pixel_count, panels + panel * panel_size, channels, panel == 0, scratch);
  }
  for (int64_t i = 0; i < pixel_count; ++i) maxima[i] = largest_lane(scratch + i * kPanelLanes);
}

}  // namespace

namespace PYBENCH_LEVEL {
const MaximaKernel mutual_match_maxima = maxima_of_position;
}

}  // namespace pybench
