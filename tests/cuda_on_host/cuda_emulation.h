// The parts of CUDA that csrc/cuda uses, on the CPU: one block after the other, its threads as fibers that take turns.
//
// It checks indices and arithmetic, not speed, the memory model or the compiler. It is strict where that is cheap:
// shared memory starts as NaN and is exactly as long as asked for, asynchronous copies land as late as they may, warp
// functions need all 32 lanes, a barrier that not all threads reach is an error, and sums of matrix products are
// rounded toward zero.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct float2 {
  float x, y;
};
struct int2 {
  int x, y;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline int2 make_int2(int x, int y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

using std::max;
using std::min;

// Of the fiber that runs.
extern thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads();

namespace emulation {

constexpr int kWarp = 32;
constexpr size_t kSlotBytes = 64;

// Leaves `slot` for the calling lane, lets `combine` work on the slots of all lanes once they are there, and returns
// the lane's own.
void exchange(void* slot, size_t bytes, void (*combine)(void* slots));

template <typename Slot>
Slot exchange(Slot slot, void (*combine)(void* slots)) {
  static_assert(sizeof(Slot) <= kSlotBytes);
  exchange(&slot, sizeof(Slot), combine);
  return slot;
}

template <typename Slot>
Slot& slot_of(void* slots, int lane) {
  return *reinterpret_cast<Slot*>(static_cast<char*>(slots) + lane * kSlotBytes);
}

template <typename Value>
struct Shuffle {
  Value value;
  int source;
};

template <typename Value>
Value shuffle(Value value, int source) {
  return exchange(Shuffle<Value>{value, source}, [](void* slots) {
           Value values[kWarp];
           for (int lane = 0; lane < kWarp; ++lane) values[lane] = slot_of<Shuffle<Value>>(slots, lane).value;
           for (int lane = 0; lane < kWarp; ++lane) {
             Shuffle<Value>& slot = slot_of<Shuffle<Value>>(slots, lane);
             slot.value = values[slot.source % kWarp];
           }
         }).value;
}

void launch(const char* op, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

}  // namespace emulation

inline int lane_of_fiber() { return threadIdx.x % emulation::kWarp; }

template <typename Value>
Value __shfl_sync(unsigned, Value value, int source) {
  return emulation::shuffle(value, source);
}
template <typename Value>
Value __shfl_xor_sync(unsigned, Value value, int mask) {
  return emulation::shuffle(value, lane_of_fiber() ^ mask);
}
template <typename Value>
Value __shfl_down_sync(unsigned, Value value, int delta) {
  const int lane = lane_of_fiber();
  return emulation::shuffle(value, lane + delta < emulation::kWarp ? lane + delta : lane);
}
void __syncwarp(unsigned mask = 0xffffffff);

namespace pybench::cuda {

unsigned char* shared_memory();
uint32_t shared_address(const void* pointer);
void copy_async(uint32_t destination, const void* source, bool inside);
void commit_copies();
void wait_copies(size_t pending);
template <int Pending>
void wait_copies() {
  wait_copies(Pending);
}
void load_matrices(uint32_t (&registers)[4], uint32_t row);
void multiply_add(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
uint32_t pack_halves(float low, float high);
float2 unpack_halves(uint32_t pair);
inline dim3 thread_index_anew() { return threadIdx; }
inline float larger(float a, float b) { return a > b || std::isnan(a) ? a : b; }

template <typename Value>
struct Same {
  using Type = Value;
};

template <typename... Parameters>
void launch(const char* op, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, uint64_t,
            typename Same<Parameters>::Type... arguments) {
  emulation::launch(op, grid, block, shared_bytes, [&] { kernel(arguments...); });
}

}  // namespace pybench::cuda
