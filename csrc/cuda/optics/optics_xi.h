// Extraction of regions from the reachability plot of OPTICS (Ankerst et al. 1999, Fig. 19), by one thread. Labels are
// those of csrc/cpu/optics/optics_xi.cpp, which has more comments; this code works on memory that it is given.
#pragma once

#include "cuda/shared/device.h"

namespace pybench::cuda {

constexpr double kXi = 0.05;
constexpr double kFactor = 1 - kXi;

// How the plot goes on from a place to the next one; negative is downward. Between two zeros or two infinities, whose
// ratio is not a number, it is flat.
constexpr signed char kSteep = 2;

__device__ inline signed char slope_of(double here, double next) {
  const double ratio = here / next;
  if (ratio <= kFactor) return kSteep;
  if (ratio >= 1 / kFactor) return -kSteep;
  return ratio < 1 ? 1 : ratio > 1 ? -1 : 0;
}

// A steep down area: its first and last place, and the largest reachability between its end and the present place.
struct SteepDownArea {
  double maximum_since;
  int first, last;
};

struct Extraction {
  const double* reachability;  // by place, with an infinity behind the last
  const int* predecessors;     // the earlier place from which each was reached; -1 for none
  const signed char* slopes;
  int places, min_samples;
  SteepDownArea* areas;  // room for one for each place
  int* labels;           // by place; -1 at first
  int area_count = 0, label_count = 0;

  __device__ void run() {
    double maximum = 0;  // of the reachability since the last steep area
    for (int place = 0; place < places; ++place) {
      maximum = fmax(maximum, reachability[place]);
      if (slopes[place] != kSteep && slopes[place] != -kSteep) continue;
      forget_areas_below(maximum);
      const int last = end_of_steep_area(place);
      if (slopes[place] < 0) {
        areas[area_count++] = {0, place, last};
      } else {
        for (int area = area_count - 1; area >= 0; --area) add_region(areas[area], place, last);
      }
      maximum = reachability[last + 1];
      place = last;
    }
  }

  // A region cannot start in a steep down area that a later reachability exceeds.
  __device__ void forget_areas_below(double maximum) {
    int kept = 0;
    for (int i = 0; i < area_count; ++i) {
      if (maximum == INFINITY || maximum > reachability[areas[i].first] * kFactor) continue;
      areas[kept] = areas[i];
      areas[kept].maximum_since = fmax(areas[kept].maximum_since, maximum);
      ++kept;
    }
    area_count = kept;
  }

  // A steep area goes on until the plot turns, or fails to be steep at more than min_samples places in succession; it ends
  // with its last steep place.
  __device__ int end_of_steep_area(int first) const {
    const int steep = slopes[first];
    int last = first, lenient = 0;
    for (int place = first; place < places && slopes[place] * steep >= 0; ++place) {
      if (slopes[place] == steep) {
        last = place;
        lenient = 0;
      } else if (++lenient > min_samples) {
        break;
      }
    }
    return last;
  }

  // The region between a steep down and a steep up area, if there is one (Definition 11).
  __device__ void add_region(const SteepDownArea& down, int up_first, int up_last) {
    const double start = reachability[down.first], end = reachability[up_last + 1];
    if (end * kFactor < down.maximum_since) return;
    int first = down.first, last = up_last;
    if (start * kFactor >= end) {
      while (first < down.last && reachability[first + 1] > end) ++first;
    } else if (end * kFactor >= start) {
      while (last > up_first && reachability[last - 1] > start) --last;
    }
    // Places at the end that were not reached from within the region do not belong to it.
    while (first < last && reachability[first] <= reachability[last] && predecessors[last] < first) --last;
    if (first == last || last - first + 1 < min_samples || first > down.last || last < up_first) return;
    label(first, last);
  }

  // Of nested regions the innermost counts, which comes first.
  __device__ void label(int first, int last) {
    for (int place = first; place <= last; ++place) {
      if (labels[place] >= 0) return;
    }
    for (int place = first; place <= last; ++place) labels[place] = label_count;
    ++label_count;
  }
};

}  // namespace pybench::cuda
