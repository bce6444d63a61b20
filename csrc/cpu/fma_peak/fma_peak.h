// The yardstick of the benchmarks: how many multiply-adds this machine can do.
#pragma once

#include <cstdint>
#include <string>

namespace pybench {

// Float32 multiply-adds per second on `threads` threads together, best of `tries` bursts of `repeats` rounds.
double fma_peak(const std::string& level, int threads, int64_t repeats, int tries);

}  // namespace pybench
