#include "cpu/optics/optics_order.h"

#include <algorithm>
#include <type_traits>

namespace pybench {
namespace {

template <typename Real>
constexpr bool kSingle = std::is_same_v<Real, float>;

auto order_kernel(const OpticsOrderKernels& kernels, float) { return kernels.order_float; }
auto order_kernel(const OpticsOrderKernels& kernels, double) { return kernels.order_double; }

}  // namespace

template <typename Real>
OpticsRegions<Real>::OpticsRegions(const OpticsOrderKernels& kernels, int64_t count, int64_t min_samples)
    : kernels_(kernels),
      count_(count),
      min_samples_(min_samples),
      core_(optics_padded(count)),
      row_(count),
      reachability_(optics_padded(count)),
      done_(optics_padded(count)),
      predecessors_(optics_padded(count)),
      order_(count),
      ordered_(count),
      plot_{std::vector<double>(count + 1, INFINITY), std::vector<int32_t>(count)},
      labels_(count) {}

template <typename Real>
const std::vector<int32_t>& OpticsRegions<Real>::labels(const Real* distances) {
  find_core_distances(distances);
  find_order(distances);
  for (int64_t place = 0; place < count_; ++place) {
    const double reachability = ordered_[place];
    plot_.reachability[place] = kSingle<Real> ? rounded(reachability) : reachability;
  }
  const std::vector<int32_t> by_place = xi_labels(plot_, min_samples_);
  for (int64_t place = 0; place < count_; ++place) labels_[order_[place]] = by_place[place];
  return labels_;
}

template <typename Real>
void OpticsRegions<Real>::find_core_distances(const Real* distances) {
  if constexpr (kSingle<Real>) {
    if (min_samples_ <= kOpticsMostInserted) {
      return kernels_.core_distances(distances, optics_padded(count_), count_, min_samples_, core_.data());
    }
  }
  for (int64_t i = 0; i < count_; ++i) {
    std::copy_n(distances + i * optics_padded(count_), count_, row_.begin());
    std::nth_element(row_.begin(), row_.begin() + min_samples_ - 1, row_.end());
    core_[i] = kSingle<Real> ? row_[min_samples_ - 1] : static_cast<Real>(rounded(row_[min_samples_ - 1]));
  }
}

template <typename Real>
void OpticsRegions<Real>::find_order(const Real* distances) {
  const auto order = order_kernel(kernels_, Real());
  order(distances, optics_padded(count_), count_, core_.data(),
        {reachability_.data(), done_.data(), predecessors_.data()},
        {order_.data(), ordered_.data(), plot_.predecessors.data()});
}

template class OpticsRegions<float>;
template class OpticsRegions<double>;

}  // namespace pybench
