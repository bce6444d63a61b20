// Products, distances and sums of optics, compiled once per level with PYBENCH_LEVEL (a namespace) and PYBENCH_LANES
// (floats per vector). Like all kernels it lives in an anonymous namespace and uses nothing of the standard library.

#include "cpu/optics/optics_kernel.h"

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;
constexpr int kDoubles = kLanes / 2;
// The accumulators of a tile, one channel of its panels and one broadcast fill the registers: 8 x 3 of AVX-512's 32,
// 4 x 3 of the 16 of AVX2 and SSE2. Rows of a tile lie in one panel.
constexpr int kTileRows = PYBENCH_LANES == 16 ? 8 : 4;
constexpr int kTilePanels = 3;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float Unaligned __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
typedef float UnalignedQuad __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef double Doubles __attribute__((vector_size(kDoubles * sizeof(double))));
typedef double UnalignedDoubles __attribute__((vector_size(kDoubles * sizeof(double)), aligned(sizeof(double)),
                                               may_alias));
typedef int64_t Indices __attribute__((vector_size(kDoubles * sizeof(int64_t))));

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// Spelt out, since GCC converts halves of a vector badly.
inline Doubles widen(const float* p) {
#if PYBENCH_LANES == 16
  return Doubles{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
#elif PYBENCH_LANES == 8
  return Doubles{p[0], p[1], p[2], p[3]};
#else
  return Doubles{p[0], p[1]};
#endif
}

inline void transpose(Quad (&q)[4]) {
  const Quad low01 = __builtin_shufflevector(q[0], q[1], 0, 4, 1, 5);
  const Quad low23 = __builtin_shufflevector(q[2], q[3], 0, 4, 1, 5);
  const Quad high01 = __builtin_shufflevector(q[0], q[1], 2, 6, 3, 7);
  const Quad high23 = __builtin_shufflevector(q[2], q[3], 2, 6, 3, 7);
  q[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  q[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  q[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  q[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

// Columns lie far apart, each in another page: they are fetched so many ahead.
constexpr int64_t kAhead = 16;

void gather(const float* columns, int64_t step, int64_t positions, int64_t channels, float* rows, int64_t row_step) {
  const int64_t whole = positions == kOpticsPositions ? channels / 4 * 4 : 0;
  for (int64_t channel = 0; channel < whole; channel += 4) {
    for (int i = 0; i < 4; ++i) __builtin_prefetch(columns + (channel + kAhead + i) * step, 0, 2);
    for (int64_t position = 0; position < kOpticsPositions; position += 4) {
      Quad quads[4];
      for (int i = 0; i < 4; ++i) quads[i] = *(const UnalignedQuad*)(columns + (channel + i) * step + position);
      transpose(quads);
      for (int i = 0; i < 4; ++i) *(UnalignedQuad*)(rows + (position + i) * row_step + channel) = quads[i];
    }
  }
  for (int64_t channel = whole; channel < channels; ++channel) {
    for (int64_t position = 0; position < positions; ++position) {
      rows[position * row_step + channel] = columns[channel * step + position];
    }
  }
}

double squared_length(const float* row, int64_t channels, const float* next) {
  constexpr int kSums = 16 / kDoubles;  // a cache line; independent sums hide the latency of the additions
  Doubles sums[kSums] = {};
  int64_t channel = 0;
  for (; channel + 16 <= channels; channel += 16) {
    __builtin_prefetch(next + channel, 0, 2);
#pragma GCC unroll 8
    for (int i = 0; i < kSums; ++i) {
      const Doubles values = widen(row + channel + i * kDoubles);
      sums[i] += values * values;
    }
  }
  double sum = 0;
  for (int i = 0; i < kSums; ++i) {
    for (int lane = 0; lane < kDoubles; ++lane) sum += sums[i][lane];
  }
  for (; channel < channels; ++channel) sum += (double)row[channel] * row[channel];
  return sum;
}

void squared_lengths(const float* rows, int64_t row_step, int64_t count, int64_t channels, double* squares) {
  for (int64_t i = 0; i < count; ++i) {
    squares[i] = squared_length(rows + i * row_step, channels, rows + smaller(i + 1, count - 1) * row_step);
  }
}

void pack(const float* rows, int64_t row_step, const float* scales, int64_t count, int64_t depth, float* panels) {
  for (int64_t first = 0; first < count; first += kLanes, panels += depth * kLanes) {
    for (int lane = 0; lane < kLanes; lane += 4) {
      const float* row[4];
      float scale[4];
      for (int i = 0; i < 4; ++i) {
        const int64_t index = first + lane + i;
        row[i] = rows + smaller(index, count - 1) * row_step;
        scale[i] = index < count ? scales[index] : 0;
      }
      int64_t channel = 0;
      for (; channel + 4 <= depth; channel += 4) {
        Quad quads[4];
        for (int i = 0; i < 4; ++i) quads[i] = *(const UnalignedQuad*)(row[i] + channel) * scale[i];
        transpose(quads);
        for (int i = 0; i < 4; ++i) *(UnalignedQuad*)(panels + (channel + i) * kLanes + lane) = quads[i];
      }
      for (; channel < depth; ++channel) {
        for (int i = 0; i < 4; ++i) panels[channel * kLanes + lane + i] = row[i][channel] * scale[i];
      }
    }
  }
}

// Products of kTileRows rows, which are lanes of a panel, with all lanes of `Panels` panels. Each is one chain of
// additions over the channels, whichever factor is the row: equal pairs have equal products to the last bit.
template <int Panels>
void tile(const float* rows, const float* panels, int64_t depth, bool add, float* products, int64_t step) {
  Vec sums[kTileRows][Panels] = {};
  if (add) {
#pragma GCC unroll 32
    for (int i = 0; i < kTileRows * Panels; ++i) {
      sums[i / Panels][i % Panels] = *(const Unaligned*)(products + i / Panels * step + i % Panels * kLanes);
    }
  }
  for (int64_t channel = 0; channel < depth; ++channel) {
    Vec columns[Panels];
#pragma GCC unroll 4
    for (int v = 0; v < Panels; ++v) columns[v] = *(const Unaligned*)(panels + (v * depth + channel) * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < Panels; ++v) sums[i][v] += rows[channel * kLanes + i] * columns[v];
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < kTileRows * Panels; ++i) {
    *(Unaligned*)(products + i / Panels * step + i % Panels * kLanes) = sums[i / Panels][i % Panels];
  }
}

// A few panels stay in the first-level cache while the rows above the diagonal pass by; the narrow rest of the panels
// comes first, where the fewest rows are above it.
void multiply(const float* panels, int64_t count, int64_t depth, bool add, float* products, int64_t step) {
  const int64_t panel_count = (count + kLanes - 1) / kLanes;
  const int64_t panel_size = depth * kLanes;
  for (int64_t begin = 0, end; begin < panel_count; begin = end) {
    end = begin + ((panel_count - begin) % kTilePanels ? (panel_count - begin) % kTilePanels : kTilePanels);
    for (int64_t row = 0; row < smaller(count, end * kLanes); row += kTileRows) {
      const int64_t first = larger(begin, row / kLanes);
      const float* rows = panels + row / kLanes * panel_size + row % kLanes;
      const float* columns = panels + first * panel_size;
      float* corner = products + row * step + first * kLanes;
      if (end - first == 3) tile<3>(rows, columns, depth, add, corner, step);
      if (end - first == 2) tile<2>(rows, columns, depth, add, corner, step);
      if (end - first == 1) tile<1>(rows, columns, depth, add, corner, step);
    }
  }
}

// The distance is half the squared Euclidean distance of the unit vectors: as 1 - cosine, but exactly 0 between equal
// ones in spite of the rounding of their length. A vector that could not be scaled to unit length is near zero, and its
// half is that of a unit vector.
void to_distances(float* products, int64_t step, int64_t count, float* halves) {
  for (int64_t i = 0; i < count; ++i) {
    const float square = products[i * step + i];
    halves[i] = square > 0.99f ? square / 2 : 0.5f;
  }
  for (int64_t i = count; i % 4; ++i) halves[i] = 0.5f;
  for (int64_t row = 0; row < count; row += 4) {
    for (int64_t column = row; column < count; column += 4) {
      const Quad half = *(const UnalignedQuad*)(halves + column);
      Quad quads[4];
      for (int i = 0; i < 4; ++i) {
        const Quad distance = halves[row + i] + half - *(const UnalignedQuad*)(products + (row + i) * step + column);
        const Quad positive = distance > 0 ? distance : Quad{};
        quads[i] = positive < 2 ? positive : Quad{} + 2;
        *(UnalignedQuad*)(products + (row + i) * step + column) = quads[i];
      }
      transpose(quads);
      for (int i = 0; i < 4; ++i) *(UnalignedQuad*)(products + (column + i) * step + row) = quads[i];
    }
  }
  for (int64_t i = 0; i < count; ++i) products[i * step + i] = 0;
}

void sum_rows(const float* matrix, int64_t step, const int32_t* rows, int64_t row_count, int64_t count, double* sums) {
  constexpr int kSums = kOpticsPadding / kDoubles;
  for (int64_t first = 0; first < count; first += kOpticsPadding) {
    Doubles columns[kSums] = {};
    for (int64_t i = 0; i < row_count; ++i) {
      const float* row = matrix + rows[i] * step + first;
#pragma GCC unroll 8
      for (int v = 0; v < kSums; ++v) columns[v] += widen(row + v * kDoubles);
    }
    for (int v = 0; v < kSums; ++v) *(UnalignedDoubles*)(sums + first + v * kDoubles) = columns[v];
  }
}

int64_t add_row(const float* row, int64_t count, double* sums) {
  Doubles largest = Doubles{} - __builtin_inf();
  Indices where = {}, index = {};
  for (int lane = 0; lane < kDoubles; ++lane) index[lane] = lane;
  for (int64_t i = 0; i < count; i += kDoubles) {
    UnalignedDoubles* sum = (UnalignedDoubles*)(sums + i);
    const Doubles total = *sum + widen(row + i);
    *sum = total;
    const Indices more = total > largest;
    largest = more ? total : largest;
    where = more ? index : where;
    index += kDoubles;
  }
  int best = 0;
  for (int lane = 1; lane < kDoubles; ++lane) {
    if (largest[lane] > largest[best] || (largest[lane] == largest[best] && where[lane] < where[best])) best = lane;
  }
  return where[best];
}

void dots(const float* rows, int64_t row_step, int64_t count, const float* vector, int64_t channels,
          float* products) {
  for (int64_t i = 0; i < count; ++i) {
    const float* row = rows + i * row_step;
    Vec sums[2] = {};
    int64_t channel = 0;
    for (; channel + 2 * kLanes <= channels; channel += 2 * kLanes) {
      sums[0] += *(const Unaligned*)(row + channel) * *(const Unaligned*)(vector + channel);
      sums[1] += *(const Unaligned*)(row + channel + kLanes) * *(const Unaligned*)(vector + channel + kLanes);
    }
    const Vec total = sums[0] + sums[1];
    products[i] = 0;
    for (int lane = 0; lane < kLanes; ++lane) products[i] += total[lane];
    for (; channel < channels; ++channel) products[i] += row[channel] * vector[channel];
  }
}

}  // namespace

namespace PYBENCH_LEVEL {
const OpticsGramKernels optics_gram = {gather, squared_lengths, pack, multiply, to_distances, sum_rows, add_row, dots};
}  // namespace PYBENCH_LEVEL

}  // namespace pybench
