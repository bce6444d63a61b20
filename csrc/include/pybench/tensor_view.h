// A checked view of a tensor that arrives as a DLPack capsule. It owns nothing: the capsule stays the owner, so the view
// lives no longer than the call that received it.
#pragma once

#include <cstdint>
#include <string>
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

#ifdef PYBENCH_CUDA_ON_HOST  // the tests' build, in which kernels run on the CPU (docs/cuda.md)
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

  // The data as float32 on the CPU with `ndim` dimensions.
  float* float32_on_cpu(const char* what, int ndim) const;
  // The data as uint8 on the CPU with `ndim` dimensions.
  uint8_t* uint8_on_cpu(const char* what, int ndim) const;
  // The data as int32 on the CPU with `ndim` dimensions.
  int32_t* int32_on_cpu(const char* what, int ndim) const;
  // The data as float64 on the CPU with `ndim` dimensions.
  double* float64_on_cpu(const char* what, int ndim) const;
  // The data as int64 on the CPU with `ndim` dimensions.
  int64_t* int64_on_cpu(const char* what, int ndim) const;
  // The data as int16 on the CPU with `ndim` dimensions.
  int16_t* int16_on_cpu(const char* what, int ndim) const;
  // The data as float32, or as the bits of float16, on a CUDA device with `ndim` dimensions.
  float* float32_on_cuda(const char* what, int ndim) const;
  uint16_t* float16_on_cuda(const char* what, int ndim) const;
  // The data as float64, or as int32, on a CUDA device with `ndim` dimensions.
  double* float64_on_cuda(const char* what, int ndim) const;
  int32_t* int32_on_cuda(const char* what, int ndim) const;
  void require_dimensions(const char* what, int ndim) const;
  // A size of -1 accepts any.
  void require_shape(const char* what, const std::vector<int64_t>& shape) const;
  // Row-major without gaps in the last `dimensions` dimensions.
  void require_contiguous(const char* what, int dimensions) const;

 private:
  void require(const char* what, dlpack::DataType dtype, int ndim, bool on_cuda = false) const;

  void* data_ = nullptr;
  dlpack::Device device_{};
  dlpack::DataType dtype_{};
  std::vector<int64_t> shape_;
  std::vector<int64_t> strides_;
};

}  // namespace pybench
