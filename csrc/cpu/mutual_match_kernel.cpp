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

// best[row][lane] = maximum (or, for the first panels, the value) over the tile's panels of the dot products.
template <int Pixels, int Panels>
inline void tile(const float* const* pixels, const float* panels, int64_t channels, bool first, float* best) {
  const float* rows[Pixels];
  for (int i = 0; i < Pixels; ++i) rows[i] = pixels[i];
  Vec sums[Pixels][Panels * kVectors] = {};
  for (int64_t channel = 0; channel < channels; ++channel) {
    Vec templates[Panels * kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < Panels * kVectors; ++v) {
      const int64_t panel = v / kVectors;
      const int64_t lane = v % kVectors * kLanes;
      templates[v] = *(const Unaligned*)(panels + (panel * channels + channel) * kPanelLanes + lane);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < Panels * kVectors; ++v) sums[i][v] += rows[i][channel] * templates[v];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) {
      Unaligned* slot = (Unaligned*)(best + i * kPanelLanes + v * kLanes);
      Vec maximum = sums[i][v];
#pragma GCC unroll 16
      for (int panel = 1; panel < Panels; ++panel) {
        maximum = nan_max<Vec, Mask>(sums[i][panel * kVectors + v], maximum);
      }
      *slot = first ? maximum : nan_max<Vec, Mask>(maximum, *slot);
    }
  }
}

template <int Pixels, int Panels>
void tiles_of(int pixels_of_tile, const float* const* pixels, const float* panels, int64_t channels, bool first,
              float* best) {
  if constexpr (Pixels > 1) {
    if (pixels_of_tile < Pixels) {
      return tiles_of<Pixels - 1, Panels>(pixels_of_tile, pixels, panels, channels, first, best);
    }
  }
  tile<Pixels, Panels>(pixels, panels, channels, first, best);
}

// All pixels against `Panels` panels, in tiles of balanced height: 25 pixels are 5 x 5, not 4 x 6 + 1.
template <int Panels>
void sweep(const float* const* pixels, int64_t pixel_count, const float* panels, int64_t channels, bool first,
           float* best) {
  const int64_t tiles = (pixel_count + kTilePixels - 1) / kTilePixels;
  int64_t begin = 0;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t end = (i + 1) * pixel_count / tiles;
    tiles_of<kTilePixels, Panels>(static_cast<int>(end - begin), pixels + begin, panels, channels, first,
                                  best + begin * kPanelLanes);
    begin = end;
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

void maxima_of_position(const float* const* pixels, int64_t pixel_count, const float* panels, int64_t panel_count,
                        int64_t channels, float* scratch, float* maxima) {
  const int64_t panel_size = channels * kPanelLanes;
  int64_t panel = 0;
  for (; panel + kTilePanels <= panel_count; panel += kTilePanels) {
    sweep<kTilePanels>(pixels, pixel_count, panels + panel * panel_size, channels, panel == 0, scratch);
  }
  for (; panel < panel_count; ++panel) {
    sweep<1>(pixels, pixel_count, panels + panel * panel_size, channels, panel == 0, scratch);
  }
  for (int64_t i = 0; i < pixel_count; ++i) maxima[i] = largest_lane(scratch + i * kPanelLanes);
}

}  // namespace

namespace PYBENCH_LEVEL {
const MaximaKernel mutual_match_maxima = maxima_of_position;
}

}  // namespace pybench
