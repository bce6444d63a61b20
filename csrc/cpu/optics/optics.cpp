#include "cpu/optics/optics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "cpu/optics/optics_kernel.h"
#include "cpu/optics/optics_order.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

namespace pybench {
namespace {

// Vectors shorter than this are divided by it instead of by their length.
constexpr double kEpsilon = 1e-12;

// The examples at one position: feature vectors, contiguous, `step` apart.
struct Examples {
  const float* data;
  int64_t step, count, channels;

  const float* row(int64_t index) const { return data + index * step; }
};

// Cosine distances of the examples at one position after the other; keeps its scratch memory.
class CosineDistances {
 public:
  CosineDistances(const OpticsGramKernels& kernels, int64_t count)
      : kernels_(kernels),
        count_(count),
        padded_(optics_padded(count)),
        squares_(padded_),
        scales_(padded_),
        halves_(padded_),
        panels_(new float[padded_ * kOpticsDepth]),
        matrix_(new float[padded_ * padded_]()) {}

  // False where a feature is a NaN or an infinity.
  bool compute(const Examples& examples) {
    kernels_.squared_lengths(examples.data, examples.step, examples.count, examples.channels, squares_.data());
    for (int64_t i = 0; i < examples.count; ++i) {
      if (!std::isfinite(squares_[i])) return false;
      scales_[i] = static_cast<float>(1 / std::max(std::sqrt(squares_[i]), kEpsilon));
    }
    for (int64_t channel = 0; channel < examples.channels; channel += kOpticsDepth) {
      const int64_t depth = std::min(examples.channels - channel, kOpticsDepth);
      kernels_.pack(examples.data + channel, examples.step, scales_.data(), examples.count, depth, panels_.get());
      kernels_.multiply(panels_.get(), examples.count, depth, channel > 0, matrix_.get(), padded_);
    }
    kernels_.to_distances(matrix_.get(), padded_, examples.count, halves_.data());
    return true;
  }

  int64_t count() const { return count_; }
  const float* matrix() const { return matrix_.get(); }
  const float* row(int64_t index) const { return matrix_.get() + index * padded_; }
  float scale(int64_t index) const { return scales_[index]; }

 private:
  const OpticsGramKernels& kernels_;
  const int64_t count_, padded_;
  std::vector<double> squares_;
  std::vector<float> scales_, halves_;
  std::unique_ptr<float[]> panels_, matrix_;
};

// Selection at one position after the other; keeps its scratch memory.
class Selection {
 public:
  Selection(const std::string& level, int64_t count, int64_t k, int64_t min_samples, bool mean)
      : kernels_(PYBENCH_KERNEL(level, optics_gram)),
        k_(k),
        mean_(mean),
        distances_(kernels_, count),
        regions_(PYBENCH_KERNEL(level, optics_order), count, min_samples),
        sums_(optics_padded(count)) {}

  // Writes the k chosen feature vectors `output_step` apart; false where a feature is a NaN or an infinity.
  bool select(const Examples& examples, float* output, int64_t output_step) {
    if (!distances_.compute(examples)) return false;
    const Regions regions = first_regions(regions_.labels(distances_.matrix()));
    chosen_.clear();
    int64_t means = 0;
    if (mean_) {
      for (const Region& region : regions) write_mean(examples, region, output + means++ * output_step);
    } else {
      for (const Region& region : regions) chosen_.push_back(medoid(region));
    }
    begin_sums();
    int64_t farthest = 0;
    for (int64_t i = 0; i < means; ++i) farthest = add_distances_to(examples, output + i * output_step);
    for (const int64_t index : chosen_) sums_[index] = -INFINITY;
    for (const int64_t index : chosen_) farthest = add_distances_to(index);
    while (means + static_cast<int64_t>(chosen_.size()) < k_) {
      chosen_.push_back(farthest);
      sums_[farthest] = -INFINITY;
      farthest = add_distances_to(farthest);
    }
    for (const int64_t index : chosen_) {
      std::copy_n(examples.row(index), examples.channels, output + means++ * output_step);
    }
    return true;
  }

 private:
  using Region = std::vector<int32_t>;  // its members
  using Regions = std::vector<Region>;

  // The first k regions by first appearance. There always is one: all examples lie between two infinities of the plot.
  Regions first_regions(const std::vector<int32_t>& labels) const {
    Regions regions;
    std::vector<int32_t> rank_of(labels.size(), -1);
    for (size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0) continue;
      int32_t& rank = rank_of[labels[i]];
      if (rank < 0) {
        rank = static_cast<int32_t>(regions.size());
        regions.emplace_back();
      }
      regions[rank].push_back(static_cast<int32_t>(i));
    }
    regions.resize(std::min<size_t>(regions.size(), k_));
    return regions;
  }

  // Sums of float32 distances in float64 are exact: they do not depend on their order.
  void begin_sums() {
    std::fill(sums_.begin(), sums_.end(), -INFINITY);
    std::fill_n(sums_.begin(), distances_.count(), 0.0);
  }

  int64_t add_distances_to(int64_t index) {
    return kernels_.add_row(distances_.row(index), distances_.count(), sums_.data());
  }

  int64_t add_distances_to(const Examples& examples, const float* vector) {
    double square;
    kernels_.squared_lengths(vector, 0, 1, examples.channels, &square);
    const double length = std::max(std::sqrt(square), kEpsilon);
    unit_.resize(examples.channels);
    for (int64_t i = 0; i < examples.channels; ++i) unit_[i] = static_cast<float>(vector[i] / length);
    to_vector_.resize(sums_.size());
    kernels_.dots(examples.data, examples.step, examples.count, unit_.data(), examples.channels, to_vector_.data());
    for (int64_t i = 0; i < examples.count; ++i) {
      to_vector_[i] = std::clamp(1 - to_vector_[i] * distances_.scale(i), 0.0f, 2.0f);
    }
    return kernels_.add_row(to_vector_.data(), examples.count, sums_.data());
  }

  // The member with the smallest summed distance to all members.
  int64_t medoid(const Region& region) {
    kernels_.sum_rows(distances_.matrix(), optics_padded(distances_.count()), region.data(),
                      static_cast<int64_t>(region.size()), distances_.count(), sums_.data());
    return *std::min_element(region.begin(), region.end(), [&](int32_t a, int32_t b) { return sums_[a] < sums_[b]; });
  }

  void write_mean(const Examples& examples, const Region& region, float* output) {
    mean_sums_.assign(examples.channels, 0.0);
    for (const int32_t member : region) {
      const float* row = examples.row(member);
      for (int64_t i = 0; i < examples.channels; ++i) mean_sums_[i] += row[i];
    }
    for (int64_t i = 0; i < examples.channels; ++i) output[i] = static_cast<float>(mean_sums_[i] / region.size());
  }

  const OpticsGramKernels& kernels_;
  const int64_t k_;
  const bool mean_;
  CosineDistances distances_;
  OpticsRegions<float> regions_;
  std::vector<double> sums_;  // of the distances to all that are chosen; -infinity for these
  std::vector<int64_t> chosen_;
  std::vector<double> mean_sums_;
  std::vector<float> unit_, to_vector_;
};

// The examples at up to kOpticsPositions positions as contiguous vectors: views of the features where these are
// contiguous in the channels, else copies.
class Blocks {
 public:
  Blocks(const TensorView& features, const OpticsGramKernels& kernels)
      : data_(features.on_cpu<float>("features", 3)),
        features_(features),
        kernels_(kernels),
        views_(features.size(2) == 1 || features.stride(2) == 1),
        // Apart by one more cache line: with a power of two, all positions would fall into one set of the cache.
        position_step_(features.size(0) * features.size(2) + kOpticsPadding) {
    if (!views_) copies_.reset(new float[kOpticsPositions * position_step_]);
  }

  void load(int64_t first, int64_t last) {
    first_ = first;
    for (int64_t i = 0; !views_ && i < features_.size(0); ++i) {
      kernels_.gather(data_ + i * features_.stride(0) + first * features_.stride(1), features_.stride(2), last - first,
                      features_.size(2), copies_.get() + i * features_.size(2), position_step_);
    }
  }

  Examples at(int64_t position) const {
    const int64_t count = features_.size(0), channels = features_.size(2);
    if (views_) return {data_ + position * features_.stride(1), features_.stride(0), count, channels};
    return {copies_.get() + (position - first_) * position_step_, channels, count, channels};
  }

 private:
  const float* data_;
  const TensorView& features_;
  const OpticsGramKernels& kernels_;
  const bool views_;
  const int64_t position_step_;
  std::unique_ptr<float[]> copies_;
  int64_t first_ = 0;
};

void require_size(int64_t count, int64_t min_samples) {
  if (count > INT32_MAX) throw std::invalid_argument("there must be fewer than 2^31 examples");
  if (min_samples < 2 || min_samples > count) throw std::invalid_argument("min_samples must lie in [2, N]");
}

}  // namespace

bool optics_select(const std::string& level, const TensorView& features, int64_t min_samples, bool mean, int threads,
                   const TensorView& selected) {
  features.on_cpu<float>("features", 3);
  float* output = selected.on_cpu<float>("selected", 3);
  const int64_t count = features.size(0), positions = features.size(1), channels = features.size(2);
  const int64_t k = selected.size(0);
  require_size(count, min_samples);
  if (features.stride(2) != 1 && channels > 1 && features.stride(1) != 1 && positions > 1) {
    throw std::invalid_argument("features must be contiguous in their channels or in their positions");
  }
  selected.require_shape("selected", {-1, positions, channels});
  selected.require_contiguous("selected", 3);
  if (k < 1 || k > count) throw std::invalid_argument("selected must hold from 1 to N examples");
  const OpticsGramKernels& kernels = PYBENCH_KERNEL(level, optics_gram);

  std::atomic<bool> finite{true}, enough_memory{true};
  const int64_t blocks = (positions + kOpticsPositions - 1) / kOpticsPositions;
  parallel_for(threads, blocks, [&](int64_t first, int64_t last) {
    try {
      Selection selection(level, count, k, min_samples, mean);
      Blocks rows(features, kernels);
      for (int64_t block = first; block < last; ++block) {
        const int64_t begin = block * kOpticsPositions, end = std::min(begin + kOpticsPositions, positions);
        rows.load(begin, end);
        for (int64_t position = begin; position < end; ++position) {
          if (!finite) return;
          if (!selection.select(rows.at(position), output + position * channels, positions * channels)) finite = false;
        }
      }
    } catch (const std::bad_alloc&) {
      enough_memory = false;
    }
  });
  if (!enough_memory) throw std::bad_alloc();
  return finite;
}

bool optics_distances(const std::string& level, const TensorView& examples, const TensorView& distances) {
  const float* data = examples.on_cpu<float>("examples", 2);
  float* output = distances.on_cpu<float>("distances", 2);
  const int64_t count = examples.size(0), channels = examples.size(1);
  examples.require_contiguous("examples", 2);
  distances.require_shape("distances", {count, count});
  distances.require_contiguous("distances", 2);
  CosineDistances cosine(PYBENCH_KERNEL(level, optics_gram), count);
  if (!cosine.compute({data, channels, count, channels})) return false;
  for (int64_t i = 0; i < count; ++i) std::copy_n(cosine.row(i), count, output + i * count);
  return true;
}

void optics_labels(const std::string& level, const TensorView& distances, int64_t min_samples,
                   const TensorView& labels) {
  const double* data = distances.on_cpu<double>("distances", 2);
  int64_t* output = labels.on_cpu<int64_t>("labels", 1);
  const int64_t count = distances.size(0), step = optics_padded(count);
  distances.require_shape("distances", {count, count});
  distances.require_contiguous("distances", 2);
  labels.require_shape("labels", {count});
  labels.require_contiguous("labels", 1);
  require_size(count, min_samples);
  std::vector<double> padded(count * step);
  for (int64_t i = 0; i < count; ++i) std::copy_n(data + i * count, count, padded.begin() + i * step);
  OpticsRegions<double> regions(PYBENCH_KERNEL(level, optics_order), count, min_samples);
  const std::vector<int32_t>& found = regions.labels(padded.data());
  std::copy(found.begin(), found.end(), output);
}

}  // namespace pybench
