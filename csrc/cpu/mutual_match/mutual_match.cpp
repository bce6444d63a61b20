#include "cpu/mutual_match/mutual_match.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

#include "cpu/mutual_match/mutual_match_kernel.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

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

bool is_nan(float) { return false; }  // sums and maxima keep a NaN without this
bool is_nan(Pair word) { return word.even == kNotANumber; }

// Positions and channels at a time: a block of either is one cache line of floats.
constexpr int64_t kUnitBlock = 16;

// v * 2^15, to the nearest int16 of at most 2^15 - 1 either way. Adding 1.5 * 2^23 rounds, as it leaves no bits below 1.
int16_t fixed_point(float component) {
  constexpr float kRounder = 12582912.0f;
  const float scaled = std::min(32767.0f, std::max(-32767.0f, component * 32768.0f));  // a NaN gives -32767
  return static_cast<int16_t>(static_cast<int32_t>((scaled + kRounder) - kRounder));
}

void convert(float component, float& element) { element = component; }
void convert(float component, int16_t& element) { element = fixed_point(component); }

void mark(float*, bool) {}
void mark(int16_t* row, bool finite) {
  if (!finite) row[0] = kNotANumber;
}

// `count` columns of a [channels, *] matrix to unit rows of `length` elements.
template <typename Element>
void unit_block(const float* columns, int64_t step, int64_t count, int64_t channels, float epsilon, Element* rows,
                int64_t row_step, int64_t length) {
  float scale[kUnitBlock] = {};
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* values = columns + channel * step;
    for (int64_t i = 0; i < count; ++i) scale[i] += values[i] * values[i];
  }
  for (int64_t i = 0; i < count; ++i) {
    const float norm = std::sqrt(scale[i]);
    scale[i] = norm < epsilon ? 1 / epsilon : 1 / norm;
  }
  bool finite[kUnitBlock];
  std::fill(finite, finite + kUnitBlock, true);
  for (int64_t first = 0; first < channels; first += kUnitBlock) {
    const int64_t last = std::min(first + kUnitBlock, channels);
    Element turned[kUnitBlock][kUnitBlock];
    for (int64_t channel = first; channel < last; ++channel) {
      const float* values = columns + channel * step;
      for (int64_t i = 0; i < count; ++i) {
        const float component = values[i] * scale[i];
        finite[i] &= std::isfinite(component);
        convert(component, turned[i][channel - first]);
      }
    }
    for (int64_t i = 0; i < count; ++i) std::copy(turned[i], turned[i] + (last - first), rows + i * row_step + first);
  }
  for (int64_t i = 0; i < count; ++i) {
    std::fill(rows + i * row_step + channels, rows + i * row_step + length, Element{});
    mark(rows + i * row_step, finite[i]);
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

template <typename Element>
void write_unit_rows(const TensorView& features, const float* columns, float epsilon, int threads,
                     const TensorView& unit, Element* rows) {
  const int64_t images = features.size(0), channels = features.size(1), positions = features.size(2);
  const int64_t blocks = (positions + kUnitBlock - 1) / kUnitBlock;
  parallel_for(threads, images * blocks, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t image = i / blocks, position = i % blocks * kUnitBlock;
      unit_block(columns + image * features.stride(0) + position, features.stride(1),
                 std::min(kUnitBlock, positions - position), channels, epsilon,
                 rows + image * unit.stride(0) + position * unit.stride(1), unit.stride(1), unit.size(2));
    }
  });
}

// The query's rows and the panels in words; steps in words, too.
template <typename Word>
struct Operands {
  MaximaKernel<Word> kernel;
  const Word* query;
  int64_t image_step, row_step;
  const Word* panels;
  int64_t panel_count, words;

  const Word* panels_at(int64_t position) const { return panels + position * panel_count * words * kPanelLanes; }
};

template <typename Word>
bool any_nan(const Word* panels, int64_t panel_count, int64_t words) {
  for (int64_t panel = 0; panel < panel_count; ++panel) {
    const Word* lanes = panels + panel * words * kPanelLanes;
    if (std::any_of(lanes, lanes + kPanelLanes, [](Word word) { return is_nan(word); })) return true;
  }
  return false;
}

template <typename Word>
void fill_table(const Operands<Word>& operands, int64_t images, int64_t height, int64_t width, int64_t radius,
                int threads, const Table& table) {
  parallel_for(threads, height * width, [&](int64_t first, int64_t last) {
    const int64_t most = (2 * radius + 1) * (2 * radius + 1);
    const std::unique_ptr<const Word*[]> pixels(new const Word*[most]);
    const std::unique_ptr<float[]> maxima(new float[most]);
    const std::unique_ptr<Word[]> scratch(new Word[most * kScratchLanes]);
    for (int64_t position = first; position < last; ++position) {
      const int64_t y = position / width, x = position % width;
      const Window window(y, x, radius, height, width);
      const Word* templates = operands.panels_at(position);
      const bool no_number = any_nan(templates, operands.panel_count, operands.words);
      for (int64_t image = 0; image < images; ++image) {
        int64_t count = 0;
        for (int64_t v = window.top; v < window.bottom; ++v) {
          for (int64_t u = window.left; u < window.right; ++u) {
            pixels[count++] = operands.query + image * operands.image_step + (v * width + u) * operands.row_step;
          }
        }
        operands.kernel(pixels.get(), count, templates, operands.panel_count, operands.words, scratch.get(),
                        maxima.get());
        count = 0;
        float* row = table.at(image, y, x);
        for (int64_t v = window.top; v < window.bottom; ++v) {
          for (int64_t u = window.left; u < window.right; ++u, ++count) {
            row[table.offset(v - y, u - x)] = no_number || is_nan(*pixels[count]) ? NAN : maxima[count];
          }
        }
      }
    }
  });
}

}  // namespace

void unit_rows(const TensorView& features, float epsilon, int threads, const TensorView& unit) {
  const float* columns = features.on_cpu<float>("features", 3);
  const bool fixed_point = unit.is_int16();
  const int64_t channels = features.size(1);
  features.require_contiguous("features", 1);
  unit.require_shape("unit", {features.size(0), features.size(2), fixed_point ? channels + channels % 2 : channels});
  unit.require_contiguous("unit", 1);
  if (fixed_point) {
    write_unit_rows(features, columns, epsilon, threads, unit, unit.on_cpu<int16_t>("unit", 3));
  } else {
    write_unit_rows(features, columns, epsilon, threads, unit, unit.on_cpu<float>("unit", 3));
  }
}

void mutual_match(const std::string& level, const TensorView& query, const TensorView& panels, int64_t height,
                  int64_t width, int64_t forward_window, int64_t backward_window, int threads,
                  const TensorView& forward, const TensorView& backward) {
  const bool fixed_point = query.is_int16();
  const int64_t channels_per_word = fixed_point ? 2 : 1;
  query.require_dimensions("query", 3);
  panels.require_dimensions("panels", 4);
  float* forward_data = forward.on_cpu<float>("forward", 2);
  float* backward_data = backward.on_cpu<float>("backward", 2);
  const int64_t images = query.size(0), positions = height * width, words = query.size(2) / channels_per_word;
  const int64_t panel_count = panels.size(1);
  query.require_shape("query", {-1, positions, words * channels_per_word});
  query.require_contiguous("query", 1);
  if (panel_count < 1 || words < 1) throw std::invalid_argument("panels must hold a template and a channel");
  panels.require_shape("panels", {positions, -1, words, kPanelLanes * channels_per_word});
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
  if (fixed_point) {
    if (query.stride(0) % 2 || query.stride(1) % 2) throw std::invalid_argument("query must have even strides");
    const Operands<Pair> operands{PYBENCH_KERNEL(level, mutual_match_maxima_fixed16),
                                  reinterpret_cast<const Pair*>(query.on_cpu<int16_t>("query", 3)),
                                  query.stride(0) / 2,
                                  query.stride(1) / 2,
                                  reinterpret_cast<const Pair*>(panels.on_cpu<int16_t>("panels", 4)),
                                  panel_count,
                                  words};
    fill_table(operands, images, height, width, radius, threads, table);
  } else {
    const Operands<float> operands{PYBENCH_KERNEL(level, mutual_match_maxima_float32),
                                   query.on_cpu<float>("query", 3),
                                   query.stride(0),
                                   query.stride(1),
                                   panels.on_cpu<float>("panels", 4),
                                   panel_count,
                                   words};
    fill_table(operands, images, height, width, radius, threads, table);
  }
  parallel_for(threads, images * positions, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t image = i / positions, y = i % positions / width, x = i % positions % width;
      forward_data[i] = table.forward(image, y, x, forward_window / 2);
      backward_data[i] = table.backward(image, y, x, backward_window / 2);
    }
  });
}

}  // namespace pybench
