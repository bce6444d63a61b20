#include "shared/tensor_view.h"

#include <algorithm>
#include <stdexcept>

namespace pybench {
namespace {

std::string bracketed(const std::vector<int64_t>& sizes) {
  std::string text = "[";
  for (size_t i = 0; i < sizes.size(); ++i) {
    text += (i ? ", " : "") + (sizes[i] < 0 ? std::string("any") : std::to_string(sizes[i]));
  }
  return text + "]";
}

std::string dtype_name(dlpack::DataType dtype) {
  const char* name = "dtype code ";
  switch (dtype.code) {
    case dlpack::kInt: name = "int"; break;
    case dlpack::kUInt: name = "uint"; break;
    case dlpack::kFloat: name = "float"; break;
    case dlpack::kBfloat: name = "bfloat"; break;
    default: return name + std::to_string(dtype.code);
  }
  return name + std::to_string(dtype.bits);
}

}  // namespace

TensorView::TensorView(const dlpack::Tensor& tensor)
    : data_(static_cast<char*>(tensor.data) + tensor.byte_offset),
      device_(tensor.device),
      dtype_(tensor.dtype),
      shape_(tensor.shape, tensor.shape + tensor.ndim),
      strides_(tensor.ndim) {
  int64_t step = 1;
  for (int i = tensor.ndim - 1; i >= 0; --i) {
    strides_[i] = tensor.strides ? tensor.strides[i] : step;
    step *= shape_[i];
  }
}

void TensorView::require(const char* what, dlpack::DataType dtype, int ndim, bool on_cuda) const {
  const std::string name(what);
  const bool there = on_cuda ? device_.type == dlpack::kKernelDevice
                             : device_.type == dlpack::kCPU || device_.type == dlpack::kCUDAHost;
  if (!there) {
    throw std::invalid_argument(name + " must be on " + (on_cuda ? "a CUDA device" : "the CPU") +
                                ", but is on DLPack device type " + std::to_string(device_.type));
  }
  if (dtype_.code != dtype.code || dtype_.bits != dtype.bits || dtype_.lanes != dtype.lanes) {
    throw std::invalid_argument(name + " must be " + dtype_name(dtype) + ", but is " + dtype_name(dtype_));
  }
  require_dimensions(what, ndim);
}

void TensorView::require_dimensions(const char* what, int ndim) const {
  if (static_cast<int>(shape_.size()) != ndim) {
    throw std::invalid_argument(std::string(what) + " must have " + std::to_string(ndim) +
                                " dimensions, but its shape is " + bracketed(shape_));
  }
}

void TensorView::require_shape(const char* what, const std::vector<int64_t>& shape) const {
  bool same = shape.size() == shape_.size();
  for (size_t i = 0; same && i < shape.size(); ++i) same = shape[i] == -1 || shape[i] == shape_[i];
  if (!same) {
    throw std::invalid_argument(std::string(what) + " must have the shape " + bracketed(shape) + ", but has " +
                                bracketed(shape_));
  }
}

void TensorView::require_contiguous(const char* what, int dimensions) const {
  const int ndim = static_cast<int>(shape_.size());
  if (std::find(shape_.begin(), shape_.end(), 0) != shape_.end()) return;  // nothing is read, whatever the strides say
  int64_t step = 1;
  for (int i = ndim - 1; i >= ndim - dimensions; --i) {
    if (shape_[i] > 1 && strides_[i] != step) {
      throw std::invalid_argument(std::string(what) + " must be contiguous in its last " + std::to_string(dimensions) +
                                  " dimensions, but its strides are " + bracketed(strides_));
    }
    step *= shape_[i];
  }
}

}  // namespace pybench
