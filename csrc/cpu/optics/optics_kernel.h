// What the kernels of optics share with their drivers; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// Rows and columns of matrices, and arrays that run along them, are padded to a multiple of this many elements.
constexpr int64_t kOpticsPadding = 16;
// Channels that are packed and multiplied at a time.
constexpr int64_t kOpticsDepth = 128;
// Positions whose features are brought into rows at a time: one cache line.
constexpr int64_t kOpticsPositions = 16;
// Up to so many samples, core distances are found by insertion into registers.
constexpr int64_t kOpticsMostInserted = 8;

struct OpticsGramKernels {
  // rows[position][channel] = columns[channel * step + position] for up to kOpticsPositions positions.
  void (*gather)(const float* columns, int64_t step, int64_t positions, int64_t channels, float* rows,
                 int64_t row_step);
  // Sums of squares in float64; not finite if and only if a value is not.
  void (*squared_lengths)(const float* rows, int64_t row_step, int64_t count, int64_t channels, double* squares);
  // Packs `depth` <= kOpticsDepth channels of rows * scales: [ceil(count / lanes), depth, lanes].
  void (*pack)(const float* rows, int64_t row_step, const float* scales, int64_t count, int64_t depth, float* panels);
  // Sets, or with `add` increases, products[i, j] for i <= j by the dot products of packed rows.
  void (*multiply)(const float* panels, int64_t count, int64_t depth, bool add, float* products, int64_t step);
  // Turns products of unit vectors for i <= j into distances for all i and j, in place. `halves`: scratch.
  void (*to_distances)(float* products, int64_t step, int64_t count, float* halves);
  // sums = sum of some rows of a matrix.
  void (*sum_rows)(const float* matrix, int64_t step, const int32_t* rows, int64_t row_count, int64_t count,
                   double* sums);
  // sums += row; returns the first index of the largest sum. Elements from `count` on must be -infinity.
  int64_t (*add_row)(const float* row, int64_t count, double* sums);
  // products[i] = dot product of rows[i] with `vector`.
  void (*dots)(const float* rows, int64_t row_step, int64_t count, const float* vector, int64_t channels,
               float* products);
};

PYBENCH_DECLARE_KERNEL(OpticsGramKernels, optics_gram)

// Scratch of the ordering, by example, padded.
template <typename Real, typename Index>
struct OpticsScratch {
  Real* reachability;
  Real* done;  // 0 while the example waits for its place, else infinity
  Index* predecessors;
};

// Order of OPTICS without a limit on the distance, by place.
template <typename Real>
struct OpticsOrder {
  int32_t* examples;
  Real* reachability;
  int32_t* predecessors;  // the place of the example through which this one was reached; -1 for none
};

struct OpticsOrderKernels {
  // core[i] = min_samples-th smallest distance of i, its own included; min_samples <= kOpticsMostInserted.
  void (*core_distances)(const float* distances, int64_t step, int64_t count, int64_t min_samples, float* core);
  void (*order_float)(const float* distances, int64_t step, int64_t count, const float* core,
                      OpticsScratch<float, int32_t> scratch, OpticsOrder<float> order);
  void (*order_double)(const double* distances, int64_t step, int64_t count, const double* core,
                       OpticsScratch<double, int64_t> scratch, OpticsOrder<double> order);
};

PYBENCH_DECLARE_KERNEL(OpticsOrderKernels, optics_order)

}  // namespace pybench
