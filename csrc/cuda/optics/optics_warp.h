// What a warp that has a position of its own uses.
#pragma once

#include "cuda/shared/device.h"

namespace pybench::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffff;

// A value and where it was found; of equal ones the smallest index is first.
template <typename Value>
struct Candidate {
  Value value;
  int index;

  __device__ void take_smaller(Value other, int other_index) {
    if (other < value || (other == value && other_index < index)) {
      value = other;
      index = other_index;
    }
  }
};

// The smallest of all lanes' candidates, for every lane.
template <typename Value>
__device__ Candidate<Value> smallest_of_warp(Candidate<Value> candidate) {
  for (int step = 1; step < kWarp; step *= 2) {
    const Value other = __shfl_xor_sync(kAllLanes, candidate.value, step);
    candidate.take_smaller(other, __shfl_xor_sync(kAllLanes, candidate.index, step));
  }
  return candidate;
}

}  // namespace pybench::cuda
