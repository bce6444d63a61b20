// Core distances and the order of OPTICS (Ankerst et al. 1999), compiled once per level with PYBENCH_LEVEL (a
// namespace) and PYBENCH_LANES (floats per vector). Like all kernels it lives in an anonymous namespace and uses
// nothing of the standard library.

#include "cpu/optics/optics_kernel.h"

namespace pybench {
namespace {

constexpr int kLanes = PYBENCH_LANES;

template <typename Element, int Lanes>
struct VectorOf {
  typedef Element Type __attribute__((vector_size(Lanes * sizeof(Element)), aligned(sizeof(Element)), may_alias));
};

// The smallest `Count` distances of as many examples as there are lanes: the matrix is symmetric, so that rows pass by.
template <int Count>
void smallest(const float* distances, int64_t step, int64_t count, float* core) {
  typedef typename VectorOf<float, kLanes>::Type Vec;
  Vec sorted[Count];
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) sorted[i] = Vec{} + __builtin_inff();
  for (int64_t row = 0; row < count; ++row) {
    Vec inserted = *(const Vec*)(distances + row * step);
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      const Vec low = inserted < sorted[i] ? inserted : sorted[i];
      inserted = inserted < sorted[i] ? sorted[i] : inserted;
      sorted[i] = low;
    }
  }
  *(Vec*)core = sorted[Count - 1];
}

template <int Count>
void core_distances_of(const float* distances, int64_t step, int64_t count, int64_t min_samples, float* core) {
  if constexpr (Count > 2) {
    if (min_samples < Count) return core_distances_of<Count - 1>(distances, step, count, min_samples, core);
  }
  for (int64_t first = 0; first < count; first += kLanes) {
    smallest<Count>(distances + first, step, count, core + first);
  }
}

// Relaxes the examples that wait and finds the nearest of them in one pass.
template <typename Real, typename Index, int Lanes>
void order_examples(const Real* distances, int64_t step, int64_t count, const Real* core,
                    OpticsScratch<Real, Index> scratch, OpticsOrder<Real> order) {
  typedef typename VectorOf<Real, Lanes>::Type Vec;
  typedef typename VectorOf<Index, Lanes>::Type Indices;
  const Real infinity = __builtin_inf();
  const int64_t padded = (count + kOpticsPadding - 1) / kOpticsPadding * kOpticsPadding;
  for (int64_t i = 0; i < padded; ++i) {
    scratch.reachability[i] = infinity;
    scratch.done[i] = i < count ? 0 : infinity;
    scratch.predecessors[i] = -1;
  }
  Indices lanes;
  for (int lane = 0; lane < Lanes; ++lane) lanes[lane] = lane;
  int64_t first_waiting = 0;
  for (int64_t place = 0, next = 0; place < count; ++place) {
    order.examples[place] = (int32_t)next;
    order.reachability[place] = scratch.reachability[next];
    order.predecessors[place] = (int32_t)scratch.predecessors[next];
    scratch.done[next] = infinity;
    const Real* row = distances + next * step;
    const Vec own = Vec{} + core[next];
    const Indices here = Indices{} + (Index)place;
    Vec nearest = Vec{} + infinity;
    Indices where = {}, index = lanes;
    for (int64_t i = 0; i < count; i += Lanes, index += Lanes) {
      Vec* reachability = (Vec*)(scratch.reachability + i);
      Indices* predecessors = (Indices*)(scratch.predecessors + i);
      const Vec distance = *(const Vec*)(row + i);
      const Vec through = distance > own ? distance : own;
      const Vec before = *reachability;
      const Vec reached = through < before ? through : before;
      *reachability = reached;
      *predecessors = through < before ? here : *predecessors;
      const Vec waiting = reached + *(const Vec*)(scratch.done + i);
      where = waiting < nearest ? index : where;
      nearest = waiting < nearest ? waiting : nearest;
    }
    int best = 0;
    for (int lane = 1; lane < Lanes; ++lane) {
      if (nearest[lane] < nearest[best] || (nearest[lane] == nearest[best] && where[lane] < where[best])) best = lane;
    }
    next = where[best];
    if (nearest[best] == infinity && place + 1 < count) {  // none can be reached
      while (scratch.done[first_waiting] != 0) ++first_waiting;
      next = first_waiting;
    }
  }
}

}  // namespace

namespace PYBENCH_LEVEL {
const OpticsOrderKernels optics_order = {core_distances_of<kOpticsMostInserted>,
                                         order_examples<float, int32_t, kLanes>,
                                         order_examples<double, int64_t, kLanes / 2>};
}  // namespace PYBENCH_LEVEL

}  // namespace pybench
