// What the kernel of fma_peak shares with its driver; free of the standard library's inline functions.
#pragma once

#include <cstdint>

#include "cpu/shared/levels.h"

namespace pybench {

// Runs `repeats` rounds of multiply-adds that nothing but the arithmetic units can hold up; returns how many there were
// in a round. `sink` takes one float, so that the work is not optimised away.
using BurstKernel = int64_t (*)(int64_t repeats, float* sink);

PYBENCH_DECLARE_KERNEL(BurstKernel, fma_burst)

}  // namespace pybench
