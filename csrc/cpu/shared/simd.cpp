#include "cpu/shared/simd.h"

namespace pybench {

std::vector<std::pair<std::string, std::string>> simd_levels() {
#ifdef PYBENCH_X86
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("fma");
  const bool avx2 = fma && __builtin_cpu_supports("avx2");
#ifdef PYBENCH_AVX512_ON_AVX2
  const bool avx512 = avx2;
#else
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
#endif
  return {{"avx512", avx512 ? "" : "this processor has no AVX-512 (F, BW, DQ, VL and VNNI)"},
          {"avx2", avx2 ? "" : "this processor has no AVX2 with FMA"},
          {"portable", ""}};
#else
  return {{"avx512", "this build is not for x86-64"}, {"avx2", "this build is not for x86-64"}, {"portable", ""}};
#endif
}

void require_level(const std::string& level) {
  for (const auto& [name, reason] : simd_levels()) {
    if (name != level) continue;
    if (!reason.empty()) throw std::invalid_argument("level " + level + " cannot run: " + reason);
    return;
  }
  throw std::invalid_argument("unknown level " + level);
}

}  // namespace pybench
