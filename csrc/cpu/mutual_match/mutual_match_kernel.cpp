// The inner loop of mutual_match, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES (floats per
// vector). Everything lives in an anonymous namespace and uses nothing of the standard library: an inline function
// compiled here with wide instructions could otherwise be the copy that the linker keeps for every other file.

#include "cpu/mutual_match/mutual_match_kernel.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;
constexpr int kVectors = kPanelLanes / kLanes;  // per panel and channel
// Accumulators of one tile, plus one channel of its panels and one broadcast, fill the registers: 6 x 4 of AVX-512's 32,
// 6 x 2 of AVX2's 16, 3 x 4 of SSE2's 16.
constexpr int kTilePanels = PYBENCH_LANES == 16 ? 4 : 1;
constexpr int kTilePixels = PYBENCH_LANES == 4 ? 3 : 6;

typedef int Ints __attribute__((vector_size(kLanes * sizeof(int))));
typedef int IntQuad __attribute__((vector_size(4 * sizeof(int))));

// Lane-wise maximum that keeps a NaN of either side: an ordered maximum keeps that of `old`, and the mask of unordered
// lanes (all bits set, itself a NaN) puts in that of `fresh`.
template <typename Vec, typename Mask>
inline Vec nan_max(Vec fresh, Vec old) {
  const Vec larger = fresh > old ? fresh : old;
  return (Vec)((Mask)larger | (Mask)(fresh != fresh));
}

// One channel in a word.
struct Float32 {
  typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
  typedef float Unaligned __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
  typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
  typedef float UnalignedQuad __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
  using Word = float;

  static Vec multiply_add(const Word& pixel, Vec templates, Vec sum) { return sum + pixel * templates; }
  static Vec maximum(Vec fresh, Vec old) { return nan_max<Vec, Ints>(fresh, old); }
  static Quad maximum_of_quads(Quad fresh, Quad old) { return nan_max<Quad, IntQuad>(fresh, old); }
  static float cosine(float largest) { return largest; }
};

// Two channels in a word, summed in int32.
struct Fixed16 {
  typedef int Vec __attribute__((vector_size(kLanes * sizeof(int))));
  typedef int Unaligned __attribute__((vector_size(kLanes * sizeof(int)), aligned(sizeof(int)), may_alias));
  typedef int UnalignedQuad __attribute__((vector_size(4 * sizeof(int)), aligned(sizeof(int)), may_alias));
  typedef int Bits __attribute__((may_alias));
  using Quad = IntQuad;
  using Word = Pair;

  static Vec multiply_add(const Word& pixel, Vec templates, Vec sum) {
    const Vec pixels = Vec{} + *(const Bits*)&pixel;
#if PYBENCH_LANES == 16 && defined(__AVX512VNNI__)
    return (Vec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)pixels, (__m512i)templates);
#elif PYBENCH_LANES == 8 && defined(__AVX2__)
    return sum + (Vec)_mm256_madd_epi16((__m256i)pixels, (__m256i)templates);
#elif PYBENCH_LANES == 4 && defined(__SSE2__)
    return sum + (Vec)_mm_madd_epi16((__m128i)pixels, (__m128i)templates);
#else
    const Vec even = ((pixels << 16) >> 16) * ((templates << 16) >> 16);
    return sum + even + (pixels >> 16) * (templates >> 16);
#endif
  }
  static Vec maximum(Vec fresh, Vec old) { return fresh > old ? fresh : old; }
  static Quad maximum_of_quads(Quad fresh, Quad old) { return fresh > old ? fresh : old; }
  static float cosine(int largest) { return (float)largest * 0x1p-30f; }
};

// Adds the dot products over `depth` words to sums[pixel][lane]. `panel_size` is the distance between panels.
template <typename Type, int Pixels, int Panels>
inline void tile(const typename Type::Word* const* pixels, int64_t first_word, const typename Type::Word* panels,
                 int64_t panel_size, int64_t depth, typename Type::Word* sums) {
  using Vec = typename Type::Vec;
  using Unaligned = typename Type::Unaligned;
  constexpr int kRow = Panels * kVectors;
  const typename Type::Word* rows[Pixels];
  for (int i = 0; i < Pixels; ++i) rows[i] = pixels[i] + first_word;
  Unaligned* stored = (Unaligned*)sums;
  Vec accumulators[Pixels][kRow];
#pragma GCC unroll 32
  for (int i = 0; i < Pixels * kRow; ++i) accumulators[i / kRow][i % kRow] = stored[i];
  for (int64_t word = 0; word < depth; ++word) {
    Vec templates[kRow];
#pragma GCC unroll 16
    for (int v = 0; v < kRow; ++v) {
      const int64_t panel = v / kVectors;
      const int64_t lane = v % kVectors * kLanes;
      templates[v] = *(const Unaligned*)(panels + panel * panel_size + word * kPanelLanes + lane);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < kRow; ++v) {
        accumulators[i][v] = Type::multiply_add(rows[i][word], templates[v], accumulators[i][v]);
      }
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < Pixels * kRow; ++i) stored[i] = accumulators[i / kRow][i % kRow];
}

template <typename Type, int Pixels, int Panels>
void tile_of(int64_t pixel_count, const typename Type::Word* const* pixels, int64_t first_word,
             const typename Type::Word* panels, int64_t panel_size, int64_t depth, typename Type::Word* sums) {
  if constexpr (Pixels > 1) {
    if (pixel_count < Pixels) {
      return tile_of<Type, Pixels - 1, Panels>(pixel_count, pixels, first_word, panels, panel_size, depth, sums);
    }
  }
  tile<Type, Pixels, Panels>(pixels, first_word, panels, panel_size, depth, sums);
}

// sums[pixel][lane] = dot products of all pixels with `Panels` panels, over blocks of words that keep a panel in the
// first-level cache. Tiles have balanced heights: 25 pixels are 5 x 5, not 4 x 6 + 1. The block that is needed next is
// fetched meanwhile in equal shares; after the last one that is the first of the panels that lie behind these.
template <typename Type, int Panels>
void multiply(const typename Type::Word* const* pixels, int64_t pixel_count, const typename Type::Word* panels,
              int64_t words, typename Type::Word* sums) {
  constexpr int64_t kBlock = 256;
  constexpr int64_t kLane = Panels * kPanelLanes;
  const int64_t panel_size = words * kPanelLanes;
  const int64_t tiles = (pixel_count + kTilePixels - 1) / kTilePixels;
  for (int64_t i = 0; i < pixel_count * kLane; ++i) sums[i] = {};
  for (int64_t word = 0; word < words; word += kBlock) {
    const int64_t depth = words - word < kBlock ? words - word : kBlock;
    const typename Type::Word* block = panels + word * kPanelLanes;
    const typename Type::Word* next =
        word + kBlock < words ? block + kBlock * kPanelLanes : panels + Panels * panel_size;
    int64_t fetched = 0;
    for (int64_t i = 0, begin = 0; i < tiles; ++i) {
      const int64_t end = (i + 1) * pixel_count / tiles;
      for (; fetched < (i + 1) * depth / tiles; ++fetched) {
        for (int panel = 0; panel < Panels; ++panel) {
          __builtin_prefetch(next + panel * panel_size + fetched * kPanelLanes, 0, 2);
        }
      }
      tile_of<Type, kTilePixels, Panels>(end - begin, pixels + begin, word, block, panel_size, depth,
                                         sums + begin * kLane);
      begin = end;
    }
  }
}

// best[pixel][lane] = maximum (or, for the first panels, the value) over `Panels` panels of the dot products.
template <typename Type, int Panels>
void fold(const typename Type::Word* sums, int64_t pixel_count, bool first, typename Type::Word* best) {
  using Unaligned = typename Type::Unaligned;
  const Unaligned* from = (const Unaligned*)sums;
  Unaligned* to = (Unaligned*)best;
  for (int64_t i = 0; i < pixel_count; ++i, from += Panels * kVectors, to += kVectors) {
    for (int v = 0; v < kVectors; ++v) {
      typename Type::Vec maximum = from[v];
      for (int panel = 1; panel < Panels; ++panel) maximum = Type::maximum(from[panel * kVectors + v], maximum);
      to[v] = first ? maximum : Type::maximum(maximum, to[v]);
    }
  }
}

template <typename Type>
float largest_cosine(const typename Type::Word* lanes) {
  const typename Type::UnalignedQuad* quads = (const typename Type::UnalignedQuad*)lanes;
  typename Type::Quad quad = quads[0];
  for (int i = 1; i < kPanelLanes / 4; ++i) quad = Type::maximum_of_quads(quads[i], quad);
  quad = Type::maximum_of_quads(__builtin_shufflevector(quad, quad, 2, 3, 0, 1), quad);
  quad = Type::maximum_of_quads(__builtin_shufflevector(quad, quad, 1, 0, 3, 2), quad);
  return Type::cosine(quad[0]);
}

template <typename Type, int Panels>
void match(const typename Type::Word* const* pixels, int64_t pixel_count, const typename Type::Word* panels,
           int64_t words, bool first, typename Type::Word* scratch) {
  typename Type::Word* sums = scratch + pixel_count * kPanelLanes;
  multiply<Type, Panels>(pixels, pixel_count, panels, words, sums);
  fold<Type, Panels>(sums, pixel_count, first, scratch);
}

template <typename Type>
void maxima_of_position(const typename Type::Word* const* pixels, int64_t pixel_count,
                        const typename Type::Word* panels, int64_t panel_count, int64_t words,
                        typename Type::Word* scratch, float* maxima) {
  const int64_t panel_size = words * kPanelLanes;
  int64_t panel = 0;
  for (; panel + kTilePanels <= panel_count; panel += kTilePanels) {
    match<Type, kTilePanels>(pixels, pixel_count, panels + panel * panel_size, words, panel == 0, scratch);
  }
  for (; panel < panel_count; ++panel) {
    match<Type, 1>(pixels, pixel_count, panels + panel * panel_size, words, panel == 0, scratch);
  }
  for (int64_t i = 0; i < pixel_count; ++i) maxima[i] = largest_cosine<Type>(scratch + i * kPanelLanes);
}

}  // namespace

namespace PYBENCH_LEVEL {
const MaximaKernel<float> mutual_match_maxima_float32 = maxima_of_position<Float32>;
const MaximaKernel<Pair> mutual_match_maxima_fixed16 = maxima_of_position<Fixed16>;
}  // namespace PYBENCH_LEVEL

}  // namespace pybench
