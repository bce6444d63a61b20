#include "cpu/k_center/k_center.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "cpu/k_center/k_center_kernel.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

namespace pybench {
namespace {

// Bounds are tested with a margin for the rounding of squared distances: a point too many costs only time.
constexpr float kMargin = 1.0f - 1e-4f;
// The coordinates of sketches are rounded, by at most 2^-24 of the largest norm. With the margin above, this share of that
// norm's square makes up for it in up to 64 dimensions: 64 (2 * 2^-24)^2 / 1e-4 = 9.1e-9.
constexpr float kSlack = 1e-8f;
// A level is this share of the largest squared distance. The smaller it is, the fewer rounds there are, and the more points
// follow every centre.
constexpr float kLevel = 0.9f;
constexpr float kChosen = -1;  // stands for the distance of a centre
constexpr int64_t kStride = 4 * kBlock;  // centres that a point looks at between two tests of whether it is done
constexpr int64_t kWorthThreads = 1 << 20;  // products below which starting threads costs more than it saves

// Rows of vectors, one per point.
struct Rows {
  const float* data;
  int64_t dimensions;

  const float* operator[](int64_t point) const { return data + point * dimensions; }
};

// The points that may be the farthest, with their squared distances to the nearest centre.
struct Active {
  std::vector<int32_t> points;
  std::vector<float> distances;
};

// Greedy selection that looks at few pairs. A point's squared distance to the centres that it has seen bounds the one to all
// of them, so the point need not see more centres as long as others are farther. Selection goes in rounds, each with a
// level: points at or above it have seen all centres and are active, the others wait. When no point is active, the level is
// lowered, and those that are above it now see, one after the other, the centres that they missed, until they fall below.
class Selection {
 public:
  Selection(const KCenterKernels& kernels, Rows points, Rows sketches, int64_t count, int threads)
      : kernels_(kernels), points_(points), sketches_(sketches), threads_(threads),
        nearest_(count, std::numeric_limits<float>::infinity()), seen_(count, 0) {
    for (int64_t i = 0; i < count; ++i) {
      const float* sketch = sketches[i];
      float square = 0;
      for (int64_t j = 0; j < sketches.dimensions; ++j) square += sketch[j] * sketch[j];
      slack_ = std::max(slack_, kSlack * square);
    }
  }

  void choose(int32_t centre) {
    nearest_[centre] = kChosen;
    append_to_blocks(sketches_[centre]);
    centres_.push_back(centre);
    see_newest();
  }

  // The point that is farthest from all centres; the smallest index wins ties.
  int32_t farthest() {
    while (active_.points.empty()) begin_round();
    size_t best = 0;
    for (size_t i = 1; i < active_.points.size(); ++i) {
      if (active_.distances[i] > active_.distances[best]) best = i;
    }
    return active_.points[best];
  }

 private:
  // How one thread brings distances of active points up to date with the newest centre.
  struct Update {
    Selection& all;
    std::vector<float> squared;
    std::vector<int32_t> points, positions;  // that the sketches leave

    void operator()(int64_t first, int64_t last) {
      measure(all.sketches_, all.active_.points.data() + first, last - first);
      points.clear();
      positions.clear();
      for (int64_t i = first; i < last; ++i) {
        if (!all.may_be_within(squared[i - first], all.active_.distances[i])) continue;
        points.push_back(all.active_.points[i]);
        positions.push_back(static_cast<int32_t>(i));
      }
      measure(all.points_, points.data(), static_cast<int64_t>(points.size()));
      for (size_t i = 0; i < points.size(); ++i) {
        float& distance = all.active_.distances[positions[i]];
        distance = std::min(distance, squared[i]);
      }
    }

    void measure(const Rows& rows, const int32_t* of, int64_t count) {
      squared.resize(count);
      all.kernels_.to_rows(rows.data, rows.dimensions, rows[all.centres_.back()], of, count, squared.data());
    }
  };

  // Whether points whose sketches are at a squared distance of `bound` may be within `distance` (squared) of each other.
  bool may_be_within(float bound, float distance) const { return bound * kMargin - slack_ <= distance; }

  void append_to_blocks(const float* sketch) {
    const int64_t lane = static_cast<int64_t>(centres_.size()) % kBlock;
    const int64_t size = sketches_.dimensions * kBlock;
    if (lane == 0) blocks_.resize(blocks_.size() + size);
    float* block = blocks_.data() + blocks_.size() - size;
    for (int64_t i = 0; i < sketches_.dimensions; ++i) block[i * kBlock + lane] = sketch[i];
  }

  void begin_round() {
    level_ = kLevel * *std::max_element(nearest_.begin(), nearest_.end());
    const int64_t count = static_cast<int64_t>(nearest_.size());
    parallel_for(threads_, count, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        if (nearest_[i] >= level_) catch_up(i);
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      if (nearest_[i] < level_) continue;
      active_.points.push_back(static_cast<int32_t>(i));
      active_.distances.push_back(nearest_[i]);
    }
  }

  // Lets a point see centres until it is below the level or has seen all.
  void catch_up(int64_t point) {
    const int64_t count = static_cast<int64_t>(centres_.size());
    int64_t seen = seen_[point];
    float nearest = nearest_[point];
    float bounds[kStride];
    while (seen < count && nearest >= level_) {
      const int64_t begin = seen / kBlock * kBlock, end = std::min(begin + kStride, count);
      const int64_t rounded = (end - begin + kBlock - 1) / kBlock * kBlock;
      kernels_.to_blocks(blocks_.data() + begin * sketches_.dimensions, sketches_.dimensions, sketches_[point], rounded,
                         bounds);
      for (; seen < end && nearest >= level_; ++seen) {
        if (!may_be_within(bounds[seen - begin], nearest)) continue;
        float distance;
        kernels_.to_rows(points_.data, points_.dimensions, points_[point], &centres_[seen], 1, &distance);
        nearest = std::min(nearest, distance);
      }
    }
    seen_[point] = static_cast<int32_t>(seen);
    nearest_[point] = nearest;
  }

  // Shows the newest centre to the active points; those that fall below the level wait from now on.
  void see_newest() {
    const int64_t count = static_cast<int64_t>(active_.points.size());
    const int threads = count * sketches_.dimensions > kWorthThreads ? threads_ : 1;
    parallel_for_each_thread(threads, count, [&] { return Update{*this}; });
    size_t kept = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int32_t point = active_.points[i];
      if (point == centres_.back()) continue;
      if (active_.distances[i] < level_) {
        nearest_[point] = active_.distances[i];
        seen_[point] = static_cast<int32_t>(centres_.size());
        continue;
      }
      active_.points[kept] = point;
      active_.distances[kept++] = active_.distances[i];
    }
    active_.points.resize(kept);
    active_.distances.resize(kept);
  }

  const KCenterKernels& kernels_;
  const Rows points_, sketches_;
  const int threads_;
  float slack_ = 0;                // by which the squared distance of two sketches may be too large
  std::vector<float> nearest_;     // squared distance to the nearest centre seen; not kept up to date for active points
  std::vector<int32_t> seen_;      // how many centres a waiting point has seen
  std::vector<int32_t> centres_;   // in the order of selection
  std::vector<float> blocks_;      // their sketches
  float level_ = 0;
  Active active_;
};

}  // namespace

void k_center(const std::string& level, const TensorView& points, const TensorView& sketches, int64_t first, int threads,
              const TensorView& chosen) {
  const Rows rows{points.on_cpu<float>("points", 2), points.size(1)};
  points.require_contiguous("points", 2);
  const Rows sketch_rows{sketches.on_cpu<float>("sketches", 2), sketches.size(1)};
  sketches.require_contiguous("sketches", 2);
  int64_t* output = chosen.on_cpu<int64_t>("chosen", 1);
  chosen.require_contiguous("chosen", 1);
  const int64_t count = points.size(0), k = chosen.size(0);
  sketches.require_shape("sketches", {count, -1});
  if (count > INT32_MAX) throw std::invalid_argument("points must be fewer than 2^31");
  if (k < 1 || k > count) throw std::invalid_argument("chosen must have from 1 to N entries");
  if (first < 0 || first >= count) throw std::invalid_argument("first must be the index of a point");
  Selection selection(PYBENCH_KERNEL(level, k_center_kernels), rows, sketch_rows, count, threads);
  for (int64_t i = 0; i < k; ++i) {
    output[i] = i == 0 ? first : selection.farthest();
    selection.choose(static_cast<int32_t>(output[i]));
  }
}

}  // namespace pybench
