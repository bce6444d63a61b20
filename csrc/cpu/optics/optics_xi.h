// Extraction of regions from the reachability plot of OPTICS: Ankerst et al. 1999, Fig. 19.
#pragma once

#include <cstdint>
#include <vector>

namespace pybench {

// By place in the order of OPTICS.
struct ReachabilityPlot {
  std::vector<double> reachability;   // of each example, with an infinity behind the last
  std::vector<int32_t> predecessors;  // the earlier place from which each was reached; -1 for none
};

// The region of each place, or -1 for noise. Regions differ in reachability from their surroundings by the factor
// 1 - xi = 0.95, hold at least min_samples examples and end where the predecessors say that they do (Schubert and Gertz
// 2018, Alg. 2); of nested ones the innermost count. Labels are those of scikit-learn's cluster_optics_xi.
std::vector<int32_t> xi_labels(const ReachabilityPlot& plot, int64_t min_samples);

}  // namespace pybench
