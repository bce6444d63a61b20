// Functions of the device that kernels use, and the launch of a kernel.
//
// Kernels use the names of the CUDA language (threadIdx, __syncthreads, __shfl_xor_sync) and the functions below. In
// the tests, both come from an emulation (tests/cuda_on_host), so that the same source runs on the CPU. Therefore
// there is no <<< >>>, no inline PTX and no static __shared__ array outside this file.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace pybench::cuda {

// A number of blocks as the first size of a grid, the only one that takes so many.
inline unsigned grid_size(const char* op, int64_t blocks) {
  if (blocks > 0x7fffffff) throw std::invalid_argument(std::string(op) + ": more blocks than one launch takes");
  return static_cast<unsigned>(blocks);
}

}  // namespace pybench::cuda

#ifndef __CUDACC__
#include "cuda_emulation.h"
#else

namespace pybench::cuda {

// Memory that the threads of a block share, as many bytes as `launch` gets, aligned to 16; undefined at first.
__device__ inline unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char memory[];
  return memory;
}

// The address of shared memory as the functions below take it.
__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// Starts to copy 16 bytes from global to shared memory, both aligned to 16; zeros where not `inside`, and `source` is
// then not read. They are there for the calling thread after commit_copies and wait_copies, for others after a barrier.
__device__ inline void copy_async(uint32_t destination, const void* source, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(destination),
               "l"(__cvta_generic_to_global(source)), "r"(inside ? 16 : 0)
               : "memory");
}

// Closes a group of copies.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits for all groups of the calling thread but the `Pending` newest.
template <int Pending>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

// Four matrices of 8 x 8 halves: lane 8 m + r gives the shared address of row r of matrix m, 16 bytes; registers[m]
// then holds the elements 2 (lane % 4) and the next of row lane / 4.
__device__ inline void load_matrices(uint32_t (&registers)[4], uint32_t row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
               : "r"(row)
               : "memory");
}

// sums += a * b for a warp's matrices 16 x 16 and 16 x 8 of halves, in the fragment layout of mma.m16n8k16 (PTX ISA).
__device__ inline void multiply_add(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two halves in one register, `low` in the lower 16 bits; rounds to nearest.
__device__ inline uint32_t pack_halves(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ inline float2 unpack_halves(uint32_t pair) {
  float2 values;
  asm("{ .reg .b16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high; }"
      : "=f"(values.x), "=f"(values.y)
      : "r"(pair));
  return values;
}

// threadIdx, read again at this place: what is computed from it is computed after it, and needs no registers before.
__device__ inline dim3 thread_index_anew() {
  dim3 thread;
  asm volatile("mov.u32 %0, %%tid.x; mov.u32 %1, %%tid.y; mov.u32 %2, %%tid.z;"
               : "=r"(thread.x), "=r"(thread.y), "=r"(thread.z));
  return thread;
}

// The larger of two, NaN where one is NaN.
__device__ inline float larger(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}

template <typename Value>
struct Same {
  using Type = Value;
};

// Queues a kernel on a stream of the current device. Throws std::runtime_error, which names `op`, if that fails. An
// empty grid does nothing.
template <typename... Parameters>
void launch(const char* op, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, uint64_t stream,
            typename Same<Parameters>::Type... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  constexpr size_t kUnasked = 48 << 10;  // up to so much needs no request
  cudaError_t error = cudaSuccess;
  if (shared_bytes > kUnasked) {
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
  if (error == cudaSuccess) {
    void* pointers[] = {&arguments...};
    error = cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared_bytes,
                             reinterpret_cast<cudaStream_t>(stream));
  }
  if (error != cudaSuccess) {
    cudaGetLastError();  // clears it: the next call must not report it
    throw std::runtime_error(std::string(op) + " could not be launched: " + cudaGetErrorString(error));
  }
}

}  // namespace pybench::cuda

#endif
