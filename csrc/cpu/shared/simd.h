// The instruction-set levels that kernels are compiled for, and which of them this processor can run.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace pybench {

// Level names, best first, each with the reason why it cannot run here; an empty reason means that it can.
std::vector<std::pair<std::string, std::string>> simd_levels();

// Throws std::invalid_argument where the level is unknown or cannot run here.
void require_level(const std::string& level);

// A kernel is a function pointer `name`, defined in one namespace per level (csrc/cpu/shared/levels.h):
// PYBENCH_KERNEL(level, name) is that of the level named, checked to run here.
#ifdef PYBENCH_X86
#define PYBENCH_KERNEL(level, name) \
  (require_level(level), (level) == "avx512" ? avx512::name : (level) == "avx2" ? avx2::name : portable::name)
#else
#define PYBENCH_KERNEL(level, name) (require_level(level), portable::name)
#endif

}  // namespace pybench
