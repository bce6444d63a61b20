#include "pybench/mutual_match.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

#include "pybench/mutual_match_kernel.h"
#include "pybench/parallel.h"
#include "pybench/simd.h"

namespace pybench {
namespace {

// The rectangle of positions within `radius` of (y, x), clipped at the border; ends are exclusive.
struct Window {
  int64_t top, bottom, left, right;
  Window(int64_t y, int64_t x, int64_t radius, int64_t height, int64_t width)
      : top(std::max<int64_t>(y - radius, 0)),
        bottom(std::min(y + radius + 1, height)),
        left(std::max<int64_t>(x - radius, 0)),
        right(std::min(x + radius + 1, width)) {}
};

float nan_max(float a, float b) { return a > b || std::isnan(a) ? a : b; }

// Some positions at a time, so that reads and writes both stay within a few cache lines.
constexpr int64_t kUnitBlock = 16;

// `count` columns of a [channels, *] matrix to unit rows.
void unit_block(const float* columns, int64_t step, int64_t count, int64_t channels, float epsilon, float* rows,
                int64_t row_step) {
  float scale[kUnitBlock] = {};
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* values = columns + channel * step;
    for (int64_t i = 0; i < count; ++i) scale[i] += values[i] * values[i];
  }
  for (int64_t i = 0; i < count; ++i) {
    const float length = std::sqrt(scale[i]);
    scale[i] = length < epsilon ? 1 / epsilon : 1 / length;
  }
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* values = columns + channel * step;
    for (int64_t i = 0; i < count; ++i) rows[i * row_step + channel] = values[i] * scale[i];
  }
}

// For each image, template position and offset within the larger window: the largest cosine over templates between
// the query's pixel at position + offset and the templates at the position. Both maps come from it.
class Table {
 public:
  Table(int64_t images, int64_t height, int64_t width, int64_t radius)
      : height_(height), width_(width), radius_(radius), side_(2 * radius + 1),
        values_(new float[images * height * width * side_ * side_]) {}

  float* at(int64_t image, int64_t y, int64_t x) const {
    return values_.get() + ((image * height_ + y) * width_ + x) * side_ * side_;
  }
  int64_t offset(int64_t dy, int64_t dx) const { return (dy + radius_) * side_ + dx + radius_; }

  // Maximum over the templates around the query's pixel (y, x).
  float forward(int64_t image, int64_t y, int64_t x, int64_t radius) const {
    const Window window(y, x, radius, height_, width_);
    float largest = -INFINITY;
    for (int64_t v = window.top; v < window.bottom; ++v) {
      for (int64_t u = window.left; u < window.right; ++u) {
        largest = nan_max(largest, at(image, v, u)[offset(y - v, x - u)]);
      }
    }
    return largest;
  }

  // Maximum over the query's pixels around the templates' position (y, x).
  float backward(int64_t image, int64_t y, int64_t x, int64_t radius) const {
    const Window window(y, x, radius, height_, width_);
    const float* row = at(image, y, x);
    float largest = -INFINITY;
    for (int64_t v = window.top; v < window.bottom; ++v) {
      for (int64_t u = window.left; u < window.right; ++u) largest = nan_max(largest, row[offset(v - y, u - x)]);
    }
    return largest;
  }

 private:
  int64_t height_, width_, radius_, side_;
  std::unique_ptr<float[]> values_;  // left uninitialised: offsets beyond the border are never read
};

}  // namespace

void unit_rows(const TensorView& features, float epsilon, int threads, const TensorView& unit) {
  const float* columns = features.float32_on_cpu("features", 3);
  float* rows = unit.float32_on_cpu("unit", 3);
  const int64_t images = features.size(0), channels = features.size(1), positions = features.size(2);
  features.require_contiguous("features", 1);
  unit.require_shape("unit", {images, positions, channels});
  unit.require_contiguous("unit", 1);
  const int64_t blocks = (positions + kUnitBlock - 1) / kUnitBlock;
  parallel_for(threads, images * blocks, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t image = i / blocks, position = i % blocks * kUnitBlock;
      unit_block(columns + image * features.stride(0) + position, features.stride(1),
                 std::min(kUnitBlock, positions - position), channels, epsilon,
                 rows + image * unit.stride(0) + position * unit.stride(1), unit.stride(1));
    }
  });
}

void mutual_match(const std::string& level, const TensorView& query, const TensorView& panels, int64_t height,
                  int64_t width, int64_t forward_window, int64_t backward_window, int threads,
                  const TensorView& forward, const TensorView& backward) {
  const MaximaKernel kernel = PYBENCH_KERNEL(level, mutual_match_maxima);
  const float* query_data = query.float32_on_cpu("query", 3);
  const float* panel_data = panels.float32_on_cpu("panels", 4);
  float* forward_data = forward.float32_on_cpu("forward", 2);
  float* backward_data = backward.float32_on_cpu("backward", 2);
  const int64_t images = query.size(0), positions = height * width, channels = query.size(2);
  const int64_t panel_count = panels.size(1);
  query.require_shape("query", {-1, positions, -1});
  query.require_contiguous("query", 1);
  if (panel_count < 1 || channels < 1) throw std::invalid_argument("panels must hold a template and a channel");
  panels.require_shape("panels", {positions, -1, channels, kPanelLanes});
  panels.require_contiguous("panels", 4);
  for (const auto& [name, view] : {std::pair{"forward", &forward}, std::pair{"backward", &backward}}) {
    view->require_shape(name, {images, positions});
    view->require_contiguous(name, 2);
  }
  if (forward_window < 1 || forward_window % 2 == 0 || backward_window < 1 || backward_window % 2 == 0) {
    throw std::invalid_argument("windows must be odd and positive");
  }

  const int64_t radius = std::max(forward_window, backward_window) / 2;
  const Table table(images, height, width, radius);
  parallel_for(threads, positions, [&](int64_t first, int64_t last) {
    const int64_t most = (2 * radius + 1) * (2 * radius + 1);
    const std::unique_ptr<const float*[]> pixels(new const float*[most]);
    const std::unique_ptr<float[]> maxima(new float[most]);
    const std::unique_ptr<float[]> scratch(new float[most * kScratchLanes]);
    for (int64_t position = first; position < last; ++position) {
      const int64_t y = position / width, x = position % width;
      const Window window(y, x, radius, height, width);
      const float* templates = panel_data + position * panel_count * channels * kPanelLanes;
      for (int64_t image = 0; image < images; ++image) {
        int64_t count = 0;
        for (int64_t v = window.top; v < window.bottom; ++v) {
          for (int64_t u = window.left; u < window.right; ++u) {
            pixels[count++] = query_data + image * query.stride(0) + (v * width + u) * query.stride(1);
          }
        }
        kernel(pixels.get(), count, templates, panel_count, channels, scratch.get(), maxima.get());
        const float* next = maxima.get();
        float* row = table.at(image, y, x);
        for (int64_t v = window.top; v < window.bottom; ++v) {
          for (int64_t u = window.left; u < window.right; ++u) row[table.offset(v - y, u - x)] = *next++;
        }
      }
    }
  });
  parallel_for(threads, images * positions, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t image = i / positions, y = i % positions / width, x = i % positions % width;
      forward_data[i] = table.forward(image, y, x, forward_window / 2);
      backward_data[i] = table.backward(image, y, x, backward_window / 2);
    }
  });
}

}  // namespace pybench
