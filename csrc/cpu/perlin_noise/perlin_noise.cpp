#include "cpu/perlin_noise/perlin_noise.h"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace pybench {
namespace {

float fade(float t) { return t * t * t * (t * (t * 6 - 15) + 10); }

float mix(float a, float b, float weight) { return a + weight * (b - a); }

// Where the pixels of an axis lie: each one's place in its cell, in [0, 1), the fade of it, and where each cell ends.
struct Axis {
  Axis(int64_t pixels, int64_t cells)
      : pixels(pixels), cells(cells), place(pixels), weight(pixels), end(cells) {
    for (int64_t i = 0; i < pixels; ++i) {
      place[i] = static_cast<float>(i * cells % pixels) / static_cast<float>(pixels);
      weight[i] = fade(place[i]);
    }
    for (int64_t i = 0; i < cells; ++i) end[i] = ((i + 1) * pixels + cells - 1) / cells;
  }

  int64_t pixels, cells;
  std::vector<float> place, weight;
  std::vector<int64_t> end;
};

}  // namespace

void perlin_noise(const TensorView& gradients, const TensorView& noise) {
  const float* gradient = gradients.on_cpu<float>("gradients", 3);
  float* out = noise.on_cpu<float>("noise", 2);
  gradients.require_shape("gradients", {-1, -1, 2});
  gradients.require_contiguous("gradients", 3);
  noise.require_contiguous("noise", 2);
  if (gradients.size(0) < 2 || gradients.size(1) < 2) throw std::invalid_argument("gradients must span a cell");
  const Axis rows(noise.size(0), gradients.size(0) - 1), columns(noise.size(1), gradients.size(1) - 1);
  const float scale = std::sqrt(2.0f);
  // Along one row of pixels the influence of a lattice column, mixed from the points above and below, is linear.
  std::vector<float> value(columns.cells + 1), slope(columns.cells + 1);
  for (int64_t y = 0; y < rows.pixels; ++y, out += columns.pixels) {
    const float* upper = gradient + (y * rows.cells / rows.pixels) * (columns.cells + 1) * 2;
    const float* lower = upper + (columns.cells + 1) * 2;
    const float below = rows.place[y], weight = rows.weight[y];
    for (int64_t i = 0; i <= columns.cells; ++i) {
      value[i] = scale * mix(upper[2 * i] * below, lower[2 * i] * (below - 1), weight);
      slope[i] = scale * mix(upper[2 * i + 1], lower[2 * i + 1], weight);
    }
    for (int64_t cell = 0, x = 0; cell < columns.cells; ++cell) {
      const float left_value = value[cell], left_slope = slope[cell];
      const float right_slope = slope[cell + 1], right_value = value[cell + 1] - right_slope;
      for (; x < columns.end[cell]; ++x) {
        const float place = columns.place[x];
        out[x] = mix(left_value + left_slope * place, right_value + right_slope * place, columns.weight[x]);
      }
    }
  }
}

}  // namespace pybench
