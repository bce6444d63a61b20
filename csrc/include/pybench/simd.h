// The instruction-set levels that kernels are compiled for, and which of them this processor can run.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pybench {

// Level names, best first, each with the reason why it cannot run here; an empty reason means that it can.
std::vector<std::pair<std::string, std::string>> simd_levels();

}  // namespace pybench
