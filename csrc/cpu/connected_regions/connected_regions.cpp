#include "cpu/connected_regions/connected_regions.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "cpu/shared/parallel.h"

namespace pybench {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's lowest byte must be its first pixel");

// One bit per pixel, the first in the lowest, of up to 64 pixels; one is set where its byte is not zero.
uint64_t bits_of(const uint8_t* pixels, int64_t count) {
  constexpr uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  uint8_t padded[64] = {};
  if (count < 64) pixels = static_cast<const uint8_t*>(std::memcpy(padded, pixels, count));
  uint64_t words[8];
  std::memcpy(words, pixels, 64);
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  if (!any) return 0;
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) {
    const uint64_t set = (((words[i] & kLow) + kLow) | words[i]) >> 7 & 0x0101010101010101;
    bits |= set * 0x0102040810204080 >> 56 << 8 * i;  // the product's highest byte gathers the eight bits
  }
  return bits;
}

// Runs of set pixels along the rows of one mask, in raster order, and the region that each belongs to.
class Runs {
 public:
  Runs(int64_t height, int64_t width)
      : height_(height), width_(width), most_(height * ((width + 1) / 2)), ends_(new int32_t[2 * most_]),
        parents_(new int32_t[most_]) {}

  // Finds the runs of a mask and links those that touch.
  void link(const uint8_t* mask) {
    int32_t above = 0, row = 0;
    count_ = 0;
    for (int64_t y = 0; y < height_; ++y) {
      find(mask, y * width_);
      join_rows(above, row);
      above = row;
      row = count_;
    }
  }

  // Writes the number of its region to every pixel of every run; returns the number of regions.
  int64_t write(int32_t* labels) {
    int32_t regions = 0;
    for (int32_t run = 0; run < count_; ++run) {
      // A parent comes before its children: where it is not the run itself it holds its label already.
      const int32_t parent = parents_[run];
      const int32_t label = parent == run ? ++regions : parents_[parent];
      parents_[run] = label;
      for (int32_t i = start(run); i < end(run); ++i) labels[i] = label;
    }
    return regions;
  }

 private:
  // Pixels are counted from the mask's first; `end` is exclusive.
  int32_t start(int32_t run) const { return ends_[int64_t{2} * run]; }
  int32_t end(int32_t run) const { return ends_[int64_t{2} * run + 1]; }

  // Appends the runs of the row that begins at the pixel `row`.
  void find(const uint8_t* mask, int64_t row) {
    int32_t* next = ends_.get() + int64_t{2} * count_;
    uint64_t last = 0;
    for (int64_t x = 0; x < width_; x += 64) {
      const uint64_t bits = bits_of(mask + row + x, std::min<int64_t>(64, width_ - x));
      for (uint64_t changes = bits ^ (bits << 1 | last); changes; changes &= changes - 1) {
        *next++ = static_cast<int32_t>(row + x + __builtin_ctzll(changes));
      }
      last = bits >> 63;
    }
    if (last) *next++ = static_cast<int32_t>(row + width_);
    const int32_t count = static_cast<int32_t>((next - ends_.get()) / 2);
    for (; count_ < count; ++count_) parents_[count_] = count_;
  }

  // Joins each run of the last row, from `row` on, with those of the row above, [above, row), that it touches.
  void join_rows(int32_t above, int32_t row) {
    const int32_t width = static_cast<int32_t>(width_);
    for (int32_t upper = above, run = row; upper < row && run < count_;) {
      const int32_t first = start(run) - width, last = end(run) - width;
      if (start(upper) <= last && end(upper) >= first) join(run, upper);
      // Whichever ends first touches nothing more.
      const bool upper_is_done = end(upper) <= last;
      upper += upper_is_done;
      run += !upper_is_done;
    }
  }

  void join(int32_t a, int32_t b) {
    a = root(a);
    b = root(b);
    parents_[std::max(a, b)] = std::min(a, b);
  }

  int32_t root(int32_t run) {
    while (parents_[run] != run) run = parents_[run] = parents_[parents_[run]];
    return run;
  }

  int64_t height_, width_, most_;
  std::unique_ptr<int32_t[]> ends_;     // start and end of each run
  std::unique_ptr<int32_t[]> parents_;  // an earlier run of the same region, or the run itself; in the end its label
  int32_t count_ = 0;
};

}  // namespace

void connected_regions(const TensorView& masks, int threads, const TensorView& labels, const TensorView& counts) {
  const uint8_t* mask_data = masks.on_cpu<uint8_t>("masks", 3);
  int32_t* label_data = labels.on_cpu<int32_t>("labels", 3);
  int64_t* count_data = counts.on_cpu<int64_t>("counts", 1);
  const int64_t images = masks.size(0), height = masks.size(1), width = masks.size(2);
  masks.require_contiguous("masks", 3);
  labels.require_shape("labels", {images, height, width});
  labels.require_contiguous("labels", 3);
  counts.require_shape("counts", {images});
  counts.require_contiguous("counts", 1);
  if (height * width > INT32_MAX) throw std::invalid_argument("masks must have fewer than 2^31 pixels each");
  parallel_for(threads, images, [&](int64_t first, int64_t last) {
    Runs runs(height, width);
    for (int64_t image = first; image < last; ++image) {
      runs.link(mask_data + image * height * width);
      count_data[image] = runs.write(label_data + image * height * width);
    }
  });
}

}  // namespace pybench
