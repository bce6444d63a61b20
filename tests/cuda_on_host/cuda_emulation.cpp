#include "cuda_emulation.h"

#include <ucontext.h>

#include <deque>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kMostShared = 99 << 10;  // of a block, on every device from compute capability 8.0

struct Copy {
  uint32_t destination;
  const void* source;
  bool inside;
};

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  bool done = false;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

struct Warp {
  alignas(16) char slots[kWarp * kSlotBytes];
  void (*combine)(void*) = nullptr;
  int arrived = 0;
  unsigned generation = 0;
};

// The block that runs. A fiber that waits says so with each turn; a round without progress is a deadlock.
struct Block {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::unique_ptr<unsigned char[]> shared;  // of its own length, so that AddressSanitizer sees its ends
  size_t shared_bytes = 0;
  size_t current = 0, arrived = 0;
  unsigned generation = 0;
  bool progress = false;
  ucontext_t scheduler;
  std::exception_ptr error;
  const std::function<void()>* kernel = nullptr;
};

thread_local Block* block = nullptr;

void yield() { swapcontext(&block->fibers[block->current].context, &block->scheduler); }

void run_fiber() {
  try {
    (*block->kernel)();
  } catch (...) {
    block->error = std::current_exception();
  }
  block->fibers[block->current].done = block->progress = true;
  yield();
}

void start(Fiber& fiber) {
  fiber.done = false;
  fiber.open.clear();
  fiber.groups.clear();
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, run_fiber, 0);
}

void run_block(const char* op) {
  std::memset(block->shared.get(), 0xff, block->shared_bytes);
  for (Warp& warp : block->warps) warp = Warp();
  block->arrived = 0;
  for (Fiber& fiber : block->fibers) start(fiber);
  for (bool running = true; running;) {
    running = block->progress = false;
    for (size_t i = 0; i < block->fibers.size(); ++i) {
      if (block->fibers[i].done) continue;
      running = true;
      block->current = i;
      threadIdx = dim3(i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y));
      swapcontext(&block->scheduler, &block->fibers[i].context);
      if (block->error) std::rethrow_exception(block->error);
    }
    if (running && !block->progress) {
      throw std::runtime_error(std::string(op) + ": a barrier that not all threads reach");
    }
  }
}

float toward_zero(double value) {
  const float rounded = static_cast<float>(value);
  return std::abs(static_cast<double>(rounded)) > std::abs(value) ? std::nextafterf(rounded, 0) : rounded;
}

float half_value(uint32_t pair, int index) {
  const uint16_t bits = pair >> (16 * index);
  _Float16 half;
  std::memcpy(&half, &bits, sizeof(half));
  return static_cast<float>(half);
}

uint16_t half_bits(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, sizeof(bits));
  return bits;
}

}  // namespace

void exchange(void* slot, size_t bytes, void (*combine)(void* slots)) {
  Warp& warp = block->warps[block->current / kWarp];
  char* own = warp.slots + block->current % kWarp * kSlotBytes;
  if (warp.arrived && warp.combine != combine) {
    throw std::runtime_error("the lanes of a warp are at different functions");
  }
  std::memcpy(own, slot, bytes);
  warp.combine = combine;
  block->progress = true;
  const unsigned generation = warp.generation;
  if (++warp.arrived == kWarp) {
    combine(warp.slots);
    warp.arrived = 0;
    ++warp.generation;
  }
  while (warp.generation == generation) yield();
  std::memcpy(slot, own, bytes);
}

void launch(const char* op, dim3 grid, dim3 size, size_t shared_bytes, const std::function<void()>& kernel) {
  const size_t threads = size_t{size.x} * size.y * size.z;
  const bool sound = threads > 0 && threads <= 1024 && threads % kWarp == 0 && shared_bytes <= kMostShared &&
                     grid.x <= 0x7fffffff && grid.y <= 0xffff && grid.z <= 0xffff;
  if (!sound) throw std::runtime_error(std::string(op) + " could not be launched: too large, or not of whole warps");
  Block state;
  state.fibers = std::vector<Fiber>(threads);
  state.warps = std::vector<Warp>(threads / kWarp);
  state.shared_bytes = shared_bytes;
  state.shared.reset(new unsigned char[shared_bytes]);
  state.kernel = &kernel;
  block = &state;
  blockDim = size;
  gridDim = grid;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = dim3(x, y, z);
        run_block(op);
      }
    }
  }
  block = nullptr;
}

}  // namespace emulation

using namespace emulation;

void __syncthreads() {
  block->progress = true;
  const unsigned generation = block->generation;
  if (++block->arrived == block->fibers.size()) {
    block->arrived = 0;
    ++block->generation;
  }
  while (block->generation == generation) yield();
}

void __syncwarp(unsigned) {
  exchange(0, [](void*) {});
}

namespace pybench::cuda {

unsigned char* shared_memory() { return block->shared.get(); }

uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(static_cast<const unsigned char*>(pointer) - block->shared.get());
}

void copy_async(uint32_t destination, const void* source, bool inside) {
  if (destination % 16 || destination + 16 > block->shared_bytes || reinterpret_cast<uintptr_t>(source) % 16) {
    throw std::runtime_error("copy_async: not aligned to 16 bytes, or beyond the shared memory");
  }
  block->fibers[block->current].open.push_back({destination, source, inside});
}

void commit_copies() {
  Fiber& fiber = block->fibers[block->current];
  fiber.groups.push_back(std::move(fiber.open));
  fiber.open.clear();
}

void wait_copies(size_t pending) {
  Fiber& fiber = block->fibers[block->current];
  for (; fiber.groups.size() > pending; fiber.groups.pop_front()) {
    for (const Copy& copy : fiber.groups.front()) {
      unsigned char* destination = block->shared.get() + copy.destination;
      if (copy.inside) {
        std::memcpy(destination, copy.source, 16);
      } else {
        std::memset(destination, 0, 16);
      }
    }
  }
}

void load_matrices(uint32_t (&registers)[4], uint32_t row) {
  struct Slot {
    uint32_t row;
    uint32_t words[4];
  };
  if (row % 16 || row + 16 > block->shared_bytes) {
    throw std::runtime_error("load_matrices: not aligned to 16 bytes, or beyond the shared memory");
  }
  const Slot slot = exchange(Slot{row, {}}, [](void* slots) {
    for (int lane = 0; lane < kWarp; ++lane) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        const uint32_t from = slot_of<Slot>(slots, 8 * matrix + lane / 4).row + 4 * (lane % 4);
        std::memcpy(&slot_of<Slot>(slots, lane).words[matrix], block->shared.get() + from, 4);
      }
    }
  });
  std::memcpy(registers, slot.words, sizeof(registers));
}

void multiply_add(float (&sums)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  struct Slot {
    uint32_t a[4], b[2];
    float sums[4];
  };
  Slot slot{{a[0], a[1], a[2], a[3]}, {b0, b1}, {sums[0], sums[1], sums[2], sums[3]}};
  slot = exchange(slot, [](void* slots) {
    // Register r of lane 4 g + t: of A the elements (g + 8 (r % 2), 2 t + 8 (r / 2)) and the next; of B (2 t + 8 r, g)
    // and the next; sum r is that of (g + 8 (r / 2), 2 t + r % 2).
    double left[16][16], right[16][8];
    for (int lane = 0; lane < kWarp; ++lane) {
      const Slot& from = slot_of<Slot>(slots, lane);
      const int group = lane / 4, pair = lane % 4 * 2;
      for (int half = 0; half < 2; ++half) {
        for (int r = 0; r < 4; ++r) left[group + r % 2 * 8][pair + r / 2 * 8 + half] = half_value(from.a[r], half);
        for (int r = 0; r < 2; ++r) right[pair + r * 8 + half][group] = half_value(from.b[r], half);
      }
    }
    for (int lane = 0; lane < kWarp; ++lane) {
      Slot& to = slot_of<Slot>(slots, lane);
      for (int r = 0; r < 4; ++r) {
        double sum = to.sums[r];
        for (int k = 0; k < 16; ++k) sum += left[lane / 4 + r / 2 * 8][k] * right[k][lane % 4 * 2 + r % 2];
        to.sums[r] = toward_zero(sum);
      }
    }
  });
  std::memcpy(sums, slot.sums, sizeof(sums));
}

uint32_t pack_halves(float low, float high) { return half_bits(low) | static_cast<uint32_t>(half_bits(high)) << 16; }

float2 unpack_halves(uint32_t pair) { return {half_value(pair, 0), half_value(pair, 1)}; }

}  // namespace pybench::cuda
