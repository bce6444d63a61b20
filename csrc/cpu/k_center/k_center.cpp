#include "cpu/k_center/k_center.h"

#include <stdexcept>
#include <vector>

#include "cpu/k_center/k_center_kernel.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

namespace pybench {
namespace {

// The points that one centre is the nearest to, with their squared distances.
struct Cluster {
  std::vector<int32_t> members;
  std::vector<float> distances;
};

// The bound is tested with a margin for the rounding of three squared distances: a point too many costs only time.
constexpr float kMargin = 1.0f - 1e-4f;
constexpr float kEmpty = -1;  // radius of a cluster without members
constexpr int64_t kWorthThreads = 1 << 20;  // products below which starting threads costs more than it saves

// A member at squared distance s of a centre that lies at squared distance g from the new one is at least
// sqrt(g) - sqrt(s) from the new one, so it cannot get nearer where g >= 4 s: the rest is looked at.
bool may_move(float gap, float distance) { return gap * kMargin <= 4 * distance; }

class Selection {
 public:
  Selection(DistancesKernel kernel, const float* points, int64_t count, int64_t dimensions, int threads)
      : kernel_(kernel), points_(points), dimensions_(dimensions), threads_(threads), clusters_(1) {
    Cluster& all = clusters_[0];
    all.members.resize(count);
    for (int64_t i = 0; i < count; ++i) all.members[i] = static_cast<int32_t>(i);
    all.distances.resize(count);
  }

  // Every point belongs to the first centre.
  void begin(int64_t first) {
    Cluster& all = clusters_[0];
    const auto chunk = [&](int64_t begin, int64_t end) {
      kernel_(points_, dimensions_, row(first), all.members.data() + begin, end - begin, all.distances.data() + begin);
    };
    parallel_for(threads_, static_cast<int64_t>(all.members.size()), chunk);
    all.members.erase(all.members.begin() + first);
    all.distances.erase(all.distances.begin() + first);
    add_centre(static_cast<int32_t>(first));
  }

  // The point that is farthest from its centre; it becomes a centre, and takes the points that are nearer to it.
  int64_t next() {
    const int32_t newest = farthest();
    gaps_.resize(centres_.size());
    const auto chunk = [&](int64_t begin, int64_t end) {
      kernel_(points_, dimensions_, row(newest), centres_.data() + begin, end - begin, gaps_.data() + begin);
    };
    const int64_t centres = static_cast<int64_t>(centres_.size());
    parallel_for(centres * dimensions_ > kWorthThreads ? threads_ : 1, centres, chunk);
    Cluster taken;
    for (size_t i = 0; i < clusters_.size(); ++i) {
      if (may_move(gaps_[i], radii_[i]) && take(clusters_[i], gaps_[i], newest, taken)) measure(i);
    }
    clusters_.push_back(std::move(taken));
    add_centre(newest);
    return newest;
  }

 private:
  const float* row(int64_t index) const { return points_ + index * dimensions_; }

  void add_centre(int32_t centre) {
    centres_.push_back(centre);
    radii_.push_back(kEmpty);
    farthest_.push_back(0);
    measure(centres_.size() - 1);
  }

  int32_t farthest() const {
    size_t best = 0;
    for (size_t i = 1; i < radii_.size(); ++i) {
      if (radii_[i] > radii_[best] || (radii_[i] == radii_[best] && farthest_[i] < farthest_[best])) best = i;
    }
    return farthest_[best];  // some cluster has members as long as fewer than N points are chosen
  }

  // Moves the members of `from` that are nearer to the point `newest` over to `taken`; says whether any was looked at.
  bool take(Cluster& from, float gap, int32_t newest, Cluster& taken) {
    candidates_.clear();
    for (size_t i = 0; i < from.members.size(); ++i) {
      if (may_move(gap, from.distances[i])) candidates_.push_back(from.members[i]);
    }
    if (candidates_.empty()) return false;
    fresh_.resize(candidates_.size());
    kernel_(points_, dimensions_, row(newest), candidates_.data(), static_cast<int64_t>(candidates_.size()),
            fresh_.data());
    size_t kept = 0, candidate = 0;
    for (size_t i = 0; i < from.members.size(); ++i) {
      const int32_t member = from.members[i];
      const float distance = from.distances[i];
      if (candidate < candidates_.size() && candidates_[candidate] == member) {
        const float closer = fresh_[candidate++];
        if (member == newest) continue;
        if (closer < distance) {
          taken.members.push_back(member);
          taken.distances.push_back(closer);
          continue;
        }
      }
      from.members[kept] = member;
      from.distances[kept++] = distance;
    }
    from.members.resize(kept);
    from.distances.resize(kept);
    return true;
  }

  // Finds a cluster's farthest member; the smallest index wins ties.
  void measure(size_t index) {
    const Cluster& cluster = clusters_[index];
    float radius = kEmpty;
    for (size_t i = 0; i < cluster.members.size(); ++i) {
      const float distance = cluster.distances[i];
      const int32_t member = cluster.members[i];
      if (distance > radius || (distance == radius && member < farthest_[index])) {
        radius = distance;
        farthest_[index] = member;
      }
    }
    radii_[index] = radius;
  }

  DistancesKernel kernel_;
  const float* points_;
  int64_t dimensions_;
  int threads_;
  std::vector<Cluster> clusters_;
  std::vector<int32_t> centres_;   // of each cluster
  std::vector<float> radii_;       // squared distance of each cluster's farthest member
  std::vector<int32_t> farthest_;  // that member
  std::vector<int32_t> candidates_;
  std::vector<float> gaps_, fresh_;
};

}  // namespace

void k_center(const std::string& level, const TensorView& points, int64_t first, int threads,
              const TensorView& chosen) {
  const float* data = points.on_cpu<float>("points", 2);
  points.require_contiguous("points", 2);
  int64_t* output = chosen.on_cpu<int64_t>("chosen", 1);
  chosen.require_contiguous("chosen", 1);
  const int64_t count = points.size(0), k = chosen.size(0);
  if (count > INT32_MAX) throw std::invalid_argument("points must be fewer than 2^31");
  if (k < 1 || k > count) throw std::invalid_argument("chosen must have from 1 to N entries");
  if (first < 0 || first >= count) throw std::invalid_argument("first must be the index of a point");
  Selection selection(PYBENCH_KERNEL(level, k_center_distances), data, count, points.size(1), threads);
  selection.begin(first);
  output[0] = first;
  for (int64_t i = 1; i < k; ++i) output[i] = selection.next();
}

}  // namespace pybench
