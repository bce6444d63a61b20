#include "pybench/depthwise_conv2d.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>

#include "pybench/depthwise_conv2d_kernel.h"
#include "pybench/parallel.h"
#include "pybench/simd.h"

namespace pybench {
namespace {

// Images or kernels as [images, pixels, channels] with any distance between them.
struct Images {
  float* values;
  int64_t count, channels, height, width, image_step, channel_step, pixel_step;

  Images(const char* what, const TensorView& view)
      : values(view.float32_on_cpu(what, 4)),
        count(view.size(0)),
        channels(view.size(1)),
        height(view.size(2)),
        width(view.size(3)),
        image_step(view.stride(0)),
        channel_step(view.stride(1)),
        pixel_step(width > 1 ? view.stride(3) : view.stride(2)) {
    if (height < 1 || width < 1) throw std::invalid_argument(std::string(what) + " must have pixels");
    if (height > 1 && width > 1 && view.stride(2) != width * view.stride(3)) {
      throw std::invalid_argument(std::string(what) + " must have pixels at even distances");
    }
  }

  int64_t pixels() const { return height * width; }
  float* at(int64_t image, int64_t channel) const { return values + image * image_step + channel * channel_step; }
};

// Kernels [C, 1, kh, kw] are one image of C channels.
Images kernels_of(const char* what, const TensorView& view, int64_t channels) {
  view.require_shape(what, {channels, 1, -1, -1});
  view.require_contiguous(what, 4);
  Images kernels(what, view);
  if (kernels.height % 2 == 0 || kernels.width % 2 == 0) {
    throw std::invalid_argument(std::string(what) + " must have odd sides");
  }
  kernels.channels = channels;
  kernels.channel_step = kernels.pixels();
  kernels.pixel_step = 1;
  return kernels;
}

// A plane in memory of its own, at the begin of a cache line so that no vector lies across two.
class OwnPlane {
 public:
  OwnPlane(const DepthwiseKernels& simd, int64_t height, int64_t width)
      : simd_(simd), values_(static_cast<float*>(::operator new(bytes(height * width), kLine))),
        plane_{values_.get(), height, width} {}

  const Plane& plane() const { return plane_; }

  void pack(const Images& images, int64_t image, int64_t channel, bool reversed) {
    simd_.pack(images.at(image, channel), images.pixels(), images.pixel_step, present(images, channel),
               images.channel_step, reversed, plane_.values);
  }

  void unpack(const Images& images, int64_t image, int64_t channel) const {
    simd_.unpack(plane_.values, images.pixels(), images.pixel_step, present(images, channel), images.channel_step,
                 images.at(image, channel));
  }

  // Every pixel to the `count` values given, and to zero in the other lanes.
  void fill(const float* values, int64_t count) {
    for (int64_t pixel = 0; pixel < plane_.height * plane_.width; ++pixel) {
      float* lanes = plane_.values + pixel * simd_.lanes;
      std::fill(std::copy_n(values, count, lanes), lanes + simd_.lanes, 0.0f);
    }
  }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(float* values) const { ::operator delete(values, kLine); }
  };

  size_t bytes(int64_t pixels) const { return static_cast<size_t>(pixels * simd_.lanes) * sizeof(float); }
  int64_t present(const Images& images, int64_t channel) const {
    return std::min(simd_.lanes, images.channels - channel);
  }

  const DepthwiseKernels& simd_;
  std::unique_ptr<float, Free> values_;
  Plane plane_;
};

}  // namespace

void depthwise_conv2d(const std::string& level, const TensorView& x, const TensorView& weight,
                      const std::optional<TensorView>& bias, bool transposed, int threads, const TensorView& output) {
  const DepthwiseKernels simd = PYBENCH_KERNEL(level, depthwise_conv2d_kernels);
  const Images inputs("x", x), outputs("output", output);
  const Images kernels = kernels_of("weight", weight, inputs.channels);
  output.require_shape("output", {inputs.count, inputs.channels, inputs.height, inputs.width});
  const float* biases = nullptr;
  if (bias) {
    biases = bias->float32_on_cpu("bias", 1);
    bias->require_shape("bias", {inputs.channels});
    bias->require_contiguous("bias", 1);
  }

  // The narrower of image and kernel steps along the other; exchanged, both are turned by 180 degrees.
  const bool exchanged = kernels.width > inputs.width;
  const int64_t groups = (inputs.channels + simd.lanes - 1) / simd.lanes;
  parallel_for(threads, groups * inputs.count, [&](int64_t first, int64_t last) {
    OwnPlane kernel(simd, kernels.height, kernels.width), image(simd, inputs.height, inputs.width),
        sums(simd, inputs.height, inputs.width);
    for (int64_t i = first; i < last; ++i) {
      const int64_t channel = i / inputs.count * simd.lanes, index = i % inputs.count;
      if (i == first || index == 0) kernel.pack(kernels, 0, channel, transposed != exchanged);
      image.pack(inputs, index, channel, exchanged);
      sums.fill(biases ? biases + channel : nullptr, biases ? std::min(simd.lanes, inputs.channels - channel) : 0);
      if (exchanged) {
        simd.correlate(image.plane(), kernel.plane(), kernels.height / 2 - inputs.height + 1,
                       kernels.width / 2 - inputs.width + 1, sums.plane());
      } else {
        simd.correlate(kernel.plane(), image.plane(), -(kernels.height / 2), -(kernels.width / 2), sums.plane());
      }
      sums.unpack(outputs, index, channel);
    }
  });
}

void depthwise_conv2d_weight_gradient(const std::string& level, const TensorView& output_gradient, const TensorView& x,
                                      int threads, const TensorView& weight_gradient) {
  const DepthwiseKernels simd = PYBENCH_KERNEL(level, depthwise_conv2d_kernels);
  const Images inputs("x", x), gradients("output_gradient", output_gradient);
  const Images kernels = kernels_of("weight_gradient", weight_gradient, inputs.channels);
  output_gradient.require_shape("output_gradient", {inputs.count, inputs.channels, inputs.height, inputs.width});

  const int64_t groups = (inputs.channels + simd.lanes - 1) / simd.lanes;
  parallel_for(threads, groups, [&](int64_t first, int64_t last) {
    OwnPlane gradient(simd, inputs.height, inputs.width), image(simd, inputs.height, inputs.width),
        sums(simd, kernels.height, kernels.width);
    for (int64_t group = first; group < last; ++group) {
      const int64_t channel = group * simd.lanes;
      sums.fill(nullptr, 0);
      for (int64_t index = 0; index < inputs.count; ++index) {
        gradient.pack(gradients, index, channel, false);
        image.pack(inputs, index, channel, false);
        simd.correlate(gradient.plane(), image.plane(), -(kernels.height / 2), -(kernels.width / 2), sums.plane());
      }
      sums.unpack(kernels, 0, channel);
    }
  });
}

}  // namespace pybench
