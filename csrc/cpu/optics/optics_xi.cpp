#include "cpu/optics/optics_xi.h"

#include <algorithm>
#include <cmath>

namespace pybench {
namespace {

constexpr double kXi = 0.05;
constexpr double kFactor = 1 - kXi;

// How the plot goes on from a place to the next one; negative is downward. Between two zeros or two infinities, whose
// ratio is not a number, it is flat.
enum Slope : int8_t { kSteepDown = -2, kDown = -1, kFlat = 0, kUp = 1, kSteepUp = 2 };

Slope slope_of(double here, double next) {
  const double ratio = here / next;
  if (ratio <= kFactor) return kSteepUp;
  if (ratio >= 1 / kFactor) return kSteepDown;
  return ratio < 1 ? kUp : ratio > 1 ? kDown : kFlat;
}

struct Region {
  int64_t first, last;  // places, both included
};

struct SteepDownArea {
  int64_t first, last;
  double maximum_since;  // largest reachability between its end and the present place
};

class Extraction {
 public:
  Extraction(const ReachabilityPlot& plot, int64_t min_samples)
      : reachability_(plot.reachability), predecessors_(plot.predecessors), min_samples_(min_samples) {
    slopes_.reserve(places());
    for (int64_t i = 0; i < places(); ++i) slopes_.push_back(slope_of(reachability_[i], reachability_[i + 1]));
  }

  // Inner regions come before those that enclose them.
  const std::vector<Region>& regions() {
    double maximum = 0;  // of the reachability since the last steep area
    for (int64_t place = 0; place < places(); ++place) {
      maximum = std::max(maximum, reachability_[place]);
      if (std::abs(slopes_[place]) != kSteepUp) continue;
      forget_areas_below(maximum);
      const int64_t last = end_of_steep_area(place);
      if (slopes_[place] == kSteepDown) {
        areas_.push_back({place, last, 0});
      } else {
        for (auto area = areas_.rbegin(); area != areas_.rend(); ++area) add_region(*area, {place, last});
      }
      maximum = reachability_[last + 1];
      place = last;
    }
    return regions_;
  }

 private:
  int64_t places() const { return static_cast<int64_t>(predecessors_.size()); }

  // A region cannot start in a steep down area that a later reachability exceeds.
  void forget_areas_below(double maximum) {
    const auto exceeded = [&](const SteepDownArea& area) { return !(maximum <= reachability_[area.first] * kFactor); };
    if (std::isinf(maximum)) areas_.clear();
    areas_.erase(std::remove_if(areas_.begin(), areas_.end(), exceeded), areas_.end());
    for (SteepDownArea& area : areas_) area.maximum_since = std::max(area.maximum_since, maximum);
  }

  // A steep area goes on until the plot turns, or fails to be steep at more than min_samples places in succession; it
  // ends with its last steep place.
  int64_t end_of_steep_area(int64_t first) const {
    const int steep = slopes_[first];
    int64_t last = first, lenient = 0;
    for (int64_t place = first; place < places() && slopes_[place] * steep >= 0; ++place) {
      if (slopes_[place] == steep) {
        last = place;
        lenient = 0;
      } else if (++lenient > min_samples_) {
        break;
      }
    }
    return last;
  }

  // The region between a steep down and a steep up area, if there is one (Definition 11).
  void add_region(const SteepDownArea& down, const Region& up) {
    const double start = reachability_[down.first], end = reachability_[up.last + 1];
    if (end * kFactor < down.maximum_since) return;
    Region region{down.first, up.last};
    if (start * kFactor >= end) {
      while (region.first < down.last && reachability_[region.first + 1] > end) ++region.first;
    } else if (end * kFactor >= start) {
      while (region.last > up.first && reachability_[region.last - 1] > start) --region.last;
    }
    if (!end_at_reached(region) || region.last - region.first + 1 < min_samples_) return;
    if (region.first <= down.last && region.last >= up.first) regions_.push_back(region);
  }

  // Takes places off the end that were not reached from within the region; false where none is left.
  bool end_at_reached(Region& region) const {
    for (; region.first < region.last; --region.last) {
      if (reachability_[region.first] > reachability_[region.last]) return true;
      if (predecessors_[region.last] >= region.first) return true;
    }
    return false;
  }

  const std::vector<double>& reachability_;
  const std::vector<int32_t>& predecessors_;
  const int64_t min_samples_;
  std::vector<Slope> slopes_;
  std::vector<SteepDownArea> areas_;
  std::vector<Region> regions_;
};

}  // namespace

std::vector<int32_t> xi_labels(const ReachabilityPlot& plot, int64_t min_samples) {
  std::vector<int32_t> labels(plot.predecessors.size(), -1);
  int32_t label = 0;
  Extraction extraction(plot, min_samples);
  for (const Region& region : extraction.regions()) {
    const auto first = labels.begin() + region.first, last = labels.begin() + region.last + 1;
    if (std::all_of(first, last, [](int32_t value) { return value < 0; })) std::fill(first, last, label++);
  }
  return labels;
}

}  // namespace pybench
