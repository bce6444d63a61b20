#include "cpu/depthwise_conv2d/depthwise_conv2d.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>

#include "cpu/depthwise_conv2d/depthwise_conv2d_kernel.h"
#include "cpu/shared/parallel.h"
#include "cpu/shared/simd.h"

namespace pybench {
namespace {

// Images or kernels as [images, pixels, channels] with any distance between them.
struct Images {
  float* values;
  int64_t count, channels, height, width, image_step, channel_step, pixel_step;

  Images(const char* what, const TensorView& view)
      : values(view.on_cpu<float>(what, 4)),
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
  int64_t groups() const { return (channels + kGroupChannels - 1) / kGroupChannels; }
  // Number of channels in the group that begins with this one.
  int64_t group_at(int64_t channel) const { return std::min<int64_t>(kGroupChannels, channels - channel); }
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

// A group of channels of an image or of a kernel in memory of its own, which begins with a cache line so that no vector
// lies across two.
class Group {
 public:
  Group(const DepthwiseKernels& simd, const Images& size)
      : simd_(simd), height_(size.height), width_(size.width), size_(size.pixels() * kGroupChannels),
        values_(static_cast<float*>(::operator new(static_cast<size_t>(size_) * sizeof(float), kLine))) {}

  // The plane that begins with this channel of the group.
  Plane plane(int64_t channel) const { return {values_.get() + channel * height_ * width_, height_, width_}; }

  void pack(const Images& images, int64_t image, int64_t channel, bool reversed) {
    simd_.pack(images.at(image, channel), images.pixels(), images.pixel_step, images.group_at(channel),
               images.channel_step, reversed, values_.get());
  }

  void unpack(const Images& images, int64_t image, int64_t channel) const {
    simd_.unpack(values_.get(), images.pixels(), images.pixel_step, images.group_at(channel), images.channel_step,
                 images.at(image, channel));
  }

  void clear() { std::fill_n(values_.get(), size_, 0.0f); }

  // Every pixel to the `count` values given, and to zero in the other lanes.
  void fill(const float* values, int64_t count) {
    const int64_t plane_size = height_ * width_ * simd_.lanes;
    for (int64_t lane = 0; lane < kGroupChannels; lane += simd_.lanes) {
      float* plane = values_.get() + lane * height_ * width_;
      const int64_t given = std::clamp<int64_t>(count - lane, 0, simd_.lanes);
      std::fill(std::copy_n(values + lane, given, plane), plane + simd_.lanes, 0.0f);
      for (int64_t done = simd_.lanes; done < plane_size; done *= 2) {
        std::copy_n(plane, std::min(done, plane_size - done), plane + done);
      }
    }
  }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(float* values) const { ::operator delete(values, kLine); }
  };

  const DepthwiseKernels& simd_;
  int64_t height_, width_, size_;
  std::unique_ptr<float, Free> values_;
};

// As many threads as have enough to do: starting one takes as long as about a million products.
int threads_worth(int threads, const Images& images, const Images& kernels) {
  constexpr int64_t kProducts = 1 << 20;
  const int64_t products = images.count * images.channels * images.pixels() * std::min(kernels.height, images.height) *
                           std::min(kernels.width, images.width);
  return static_cast<int>(std::clamp<int64_t>(products / kProducts, 1, std::max(1, threads)));
}

}  // namespace

void depthwise_conv2d(const std::string& level, const TensorView& x, const TensorView& weight,
                      const std::optional<TensorView>& bias, bool transposed, int threads, const TensorView& output) {
  const DepthwiseKernels simd = PYBENCH_KERNEL(level, depthwise_conv2d_kernels);
  const Images inputs("x", x), outputs("output", output);
  const Images kernels = kernels_of("weight", weight, inputs.channels);
  output.require_shape("output", {inputs.count, inputs.channels, inputs.height, inputs.width});
  const float* biases = nullptr;
  if (bias) {
    biases = bias->on_cpu<float>("bias", 1);
    bias->require_shape("bias", {inputs.channels});
    bias->require_contiguous("bias", 1);
  }

  // The narrower of image and kernel steps along the other; exchanged, both are turned by 180 degrees.
  const bool exchanged = kernels.width > inputs.width;
  parallel_for_each_thread(threads_worth(threads, inputs, kernels), inputs.groups() * inputs.count, [&] {
    return [&, kernel = Group(simd, kernels), image = Group(simd, inputs), sums = Group(simd, inputs),
            packed = int64_t{-1}](int64_t first, int64_t last) mutable {
      for (int64_t i = first; i < last; ++i) {
        const int64_t channel = i / inputs.count * kGroupChannels, index = i % inputs.count;
        const int64_t present = inputs.group_at(channel);
        if (channel != packed) kernel.pack(kernels, 0, channel, transposed != exchanged);
        packed = channel;
        image.pack(inputs, index, channel, exchanged);
        if (biases) {
          sums.fill(biases + channel, present);
        } else {
          sums.clear();
        }
        for (int64_t lane = 0; lane < present; lane += simd.lanes) {
          if (exchanged) {
            simd.correlate(image.plane(lane), kernel.plane(lane), kernels.height / 2 - inputs.height + 1,
                           kernels.width / 2 - inputs.width + 1, sums.plane(lane));
          } else {
            simd.correlate(kernel.plane(lane), image.plane(lane), -(kernels.height / 2), -(kernels.width / 2),
                           sums.plane(lane));
          }
        }
        sums.unpack(outputs, index, channel);
      }
    };
  });
}

void depthwise_conv2d_weight_gradient(const std::string& level, const TensorView& output_gradient, const TensorView& x,
                                      int threads, const TensorView& weight_gradient) {
  const DepthwiseKernels simd = PYBENCH_KERNEL(level, depthwise_conv2d_kernels);
  const Images inputs("x", x), gradients("output_gradient", output_gradient);
  const Images kernels = kernels_of("weight_gradient", weight_gradient, inputs.channels);
  output_gradient.require_shape("output_gradient", {inputs.count, inputs.channels, inputs.height, inputs.width});

  parallel_for_each_thread(threads_worth(threads, inputs, kernels), inputs.groups(), [&] {
    return [&, gradient = Group(simd, inputs), image = Group(simd, inputs), sums = Group(simd, kernels)](
               int64_t first, int64_t last) mutable {
      for (int64_t group = first; group < last; ++group) {
        const int64_t channel = group * kGroupChannels;
        sums.clear();
        for (int64_t index = 0; index < inputs.count; ++index) {
          gradient.pack(gradients, index, channel, false);
          image.pack(inputs, index, channel, false);
          for (int64_t lane = 0; lane < inputs.group_at(channel); lane += simd.lanes) {
            simd.correlate(gradient.plane(lane), image.plane(lane), -(kernels.height / 2), -(kernels.width / 2),
                           sums.plane(lane));
          }
        }
        sums.unpack(kernels, 0, channel);
      }
    };
  });
}

}  // namespace pybench
