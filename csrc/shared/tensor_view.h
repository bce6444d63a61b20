// A checked view of a tensor that arrives as a DLPack capsule. It owns nothing: the capsule stays the owner, so the view
// lives no longer than the call that received it.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace pybench {

// The ABI of DLPack (https://dmlc.github.io/dlpack/latest/c_api.html), unversioned capsule "dltensor".
namespace dlpack {

enum DeviceType : int32_t { kCPU = 1, kCUDA = 2, kCUDAHost = 3 };
enum TypeCode : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4 };

struct Device {
  int32_t type;
  int32_t id;
};

struct DataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null means row-major contiguous
  uint64_t byte_offset;
};

struct ManagedTensor {
  Tensor tensor;
  void* manager;
  void (*deleter)(ManagedTensor*);
};

// How DLPack names a C++ type; uint16_t holds the bits of a float16.
template <typename Element>
constexpr DataType dtype_of() {
  constexpr uint8_t code = std::is_floating_point_v<Element> || std::is_same_v<Element, uint16_t> ? kFloat
                           : std::is_signed_v<Element>                                            ? kInt
                                                                                                  : kUInt;
  return {code, 8 * sizeof(Element), 1};
}

#ifdef PYBENCH_CUDA_ON_HOST  // the tests' build, in which kernels run on the CPU (docs/design/gpu.md)
constexpr DeviceType kKernelDevice = kCPU;
#else
constexpr DeviceType kKernelDevice = kCUDA;
#endif

}  // namespace dlpack

class TensorView {
 public:
  TensorView() = default;
  explicit TensorView(const dlpack::Tensor& tensor);

  int64_t size(int dimension) const { return shape_[dimension]; }
  int64_t stride(int dimension) const { return strides_[dimension]; }
  bool is_int16() const { return dtype_.code == dlpack::kInt && dtype_.bits == 16; }

  // Each check throws std::invalid_argument, which names `what`, says what was found and what would be right.

  // The data, with `ndim` dimensions, of elements of this type.
  template <typename Element>
  Element* on_cpu(const char* what, int ndim) const {
    require(what, dlpack::dtype_of<Element>(), ndim, false);
    return static_cast<Element*>(data_);
  }
  template <typename Element>
  Element* on_cuda(const char* what, int ndim) const {
    require(what, dlpack::dtype_of<Element>(), ndim, true);
    return static_cast<Element*>(data_);
  }
  void require_dimensions(const char* what, int ndim) const;
  // A size of -1 accepts any.
  void require_shape(const char* what, const std::vector<int64_t>& shape) const;
  // Row-major without gaps in the last `dimensions` dimensions.
  void require_contiguous(const char* what, int dimensions) const;

 private:
  void require(const char* what, dlpack::DataType dtype, int ndim, bool on_cuda) const;

  void* data_ = nullptr;
  dlpack::Device device_{};
  dlpack::DataType dtype_{};
  std::vector<int64_t> shape_;
  std::vector<int64_t> strides_;
};

}  // namespace pybench
