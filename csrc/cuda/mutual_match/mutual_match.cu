// The two kernels of mutual_match.
//
// products: each position of the templates has a small matrix product of its own, (templates x C) times (C x columns);
// its columns are the places of the window in all images. A warp multiplies two panels, 32 templates, with 8 Tiles
// columns on the tensor cores and keeps the maximum over its templates of each column; so each component of a template
// is needed by one warp only, and goes from global memory straight to the registers that the tensor cores read. Pixels
// are shared by all warps: some positions that lie beside each other make up a block, and the union of their windows
// goes through shared memory, a chunk of channels at a time. The products never leave the registers.
//
// maxima: both maps are maxima over the table that the first kernel leaves, which holds for each image, place in the
// window and position the largest cosine over templates.
//
// Precision. With `Split` a component x of a unit vector is the sum of two halves, half(x) = big and half(x - big) =
// small, and a product is big big + big small + small big: as exact as float32, for half of what three products in TF32
// cost, since unit vectors need no exponents of float32. The tensor cores round sums toward zero; that bias would add
// up over the channels, so they sum 16 channels only, and the rest is added in float32. Without `Split`, components are
// halves.

#include "cuda/mutual_match/mutual_match.h"
#include "cuda/shared/device.h"

#include <algorithm>

namespace pybench::cuda {
namespace {

constexpr int kLanes = 16;       // templates of a panel
constexpr int kWarpPanels = 2;   // that a warp multiplies at a time
constexpr int kRowPairs = 8;     // a row of a panel is 64 bytes, 8 pairs of words
constexpr int kStepRows = 16;    // rows of a panel in a step
constexpr int kStepBytes = 64;   // of a pixel in a step
constexpr int kChunkSteps = 4;   // of a pixel that are in shared memory at a time
constexpr int kChunkBytes = kChunkSteps * kStepBytes;
constexpr int kUnitBytes = 16;   // of one asynchronous copy
constexpr int kChunkUnits = kChunkBytes / kUnitBytes;
constexpr int kWarp = 32;
constexpr int kMostWarps = 8;    // of a block
constexpr int kMostTiles = 11;   // of a pass
constexpr size_t kMostShared = 99 << 10;   // of a block, on all devices from compute capability 8.0
constexpr int64_t kLargestWindow = 61;     // whose pixels fit into it
constexpr int64_t kMostColumns = 1 << 28;  // and pixels, so that int counts them
constexpr unsigned kAllLanes = 0xffffffff;

// The number of a thread in its block, computed again in each call. A block is [group, slices] warps.
__device__ inline int thread_of_block() {
  const dim3 thread = thread_index_anew();
  return (thread.z * blockDim.y + thread.y) * kWarp + thread.x;
}

__device__ inline int threads_of_block() { return blockDim.z * blockDim.y * kWarp; }

struct Problem {
  const unsigned char* rows;  // [images, height * width, steps * kStepBytes]
  const uint2* panels;        // [height * width, panel_count, panel_rows, kRowPairs]
  float* table;               // [images, side * side, height * width]
  int images, height, width, side;
  int columns;  // of all images: images * side * side
  int panel_count, panel_rows, chunks;
  int group;   // positions of a block
  int slices;  // pairs of panels that a block multiplies at a time, a warp for each of every position
  int passes;  // of the columns, each by blocks of its own
  int slot_rows, slot_width, slot_count;  // pixels of a block: of the window rows, in all images, that a pass needs
};

// Where a block is: its pass over the columns, and the first of the positions beside each other that it has.
struct Place {
  int first_column, first_row, y, x;
  __device__ Place(const Problem& problem, int columns_per_pass) {
    const int groups = (problem.width + problem.group - 1) / problem.group;
    const int block = blockIdx.x / problem.passes;
    first_column = blockIdx.x % problem.passes * columns_per_pass;
    first_row = first_column / problem.side;
    y = block / groups;
    x = block % groups * problem.group;
  }
};

// What a block keeps in shared memory first, so that its addresses are constants.
struct Shared {
  Place place;                             // for later, so as to hold no registers meanwhile
  float best[kMostWarps][kMostTiles * 8];  // of each warp's templates, for each column
};
static_assert(sizeof(Shared) % kUnitBytes == 0);

__device__ inline Shared& shared() { return *reinterpret_cast<Shared*>(shared_memory()); }

// Then for each slot the pixel that it holds, counted over all images, or -1 beyond the border; and its swizzle.
__device__ inline int2* sources() { return reinterpret_cast<int2*>(shared_memory() + sizeof(Shared)); }

// Then the pixels, [2, slot_rows, slot_width, kChunkBytes].
__device__ inline uint32_t stage_of(const Problem& problem, int chunk) {
  return shared_address(sources() + problem.slot_count) + chunk % 2 * problem.slot_count * kChunkBytes;
}

// Units of 16 bytes are swizzled: eight columns that follow each other, also from one window row to the next, have
// eight different swizzles, so that the tensor cores read their units from different banks.
__device__ void find_sources(const Problem& problem, const Place& block) {
  const int radius = problem.side / 2;
#pragma unroll 1
  for (int slot = thread_of_block(); slot < problem.slot_count; slot += threads_of_block()) {
    const int row = block.first_row + slot / problem.slot_width, slot_x = slot % problem.slot_width;
    const int image = row / problem.side;
    const int v = block.y + row % problem.side - radius, u = block.x + slot_x - radius;
    const bool inside = image < problem.images && v >= 0 && v < problem.height && u >= 0 && u < problem.width;
    const int pixel = (image * problem.height + v) * problem.width + u;
    sources()[slot] = make_int2(inside ? pixel : -1, (slot_x + row * problem.side) & 7);
  }
}

// Starts to copy a chunk of channels of all pixels.
__device__ void copy_pixels(const Problem& problem, int chunk) {
  const int thread = thread_of_block(), unit = thread % kChunkUnits;
  const uint32_t stage = stage_of(problem, chunk);
  for (int slot = thread / kChunkUnits; slot < problem.slot_count; slot += threads_of_block() / kChunkUnits) {
    const int2 source = sources()[slot];
    const int64_t from = source.x < 0 ? 0 : int64_t{source.x} * problem.chunks + chunk;
    copy_async(stage + slot * kChunkBytes + (unit ^ source.y) * kUnitBytes,
               problem.rows + from * kChunkBytes + unit * kUnitBytes, source.x >= 0);
  }
  commit_copies();
}

// What a lane reads of two panels in a step: of templates 2 (lane / 4) and the next, rows lane % 4 + 4 i.
struct Words {
  uint2 at[kWarpPanels][4];
};

// Walks over the rows of two panels.
struct Panels {
  const uint2* first;  // where the lane reads next
  int second;          // from there to the other panel
  int rows;            // left, from that of this lane on

  __device__ Panels(const Problem& problem, int64_t position, int slice) {
    const int lane = threadIdx.x, panel = min(slice * kWarpPanels, problem.panel_count - 1);
    const int panel_size = problem.panel_rows * kRowPairs;
    first = problem.panels + (position * problem.panel_count + panel) * panel_size + lane % 4 * kRowPairs + lane / 4;
    second = panel + 1 < problem.panel_count ? panel_size : 0;
    rows = problem.panel_rows - lane % 4;
  }

  // Zeros after the last row.
  __device__ Words next() {
    Words words;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const bool inside = 4 * i < rows;
      words.at[0][i] = inside ? first[4 * i * kRowPairs] : make_uint2(0, 0);
      words.at[1][i] = inside ? first[4 * i * kRowPairs + second] : make_uint2(0, 0);
    }
    first += kStepRows * kRowPairs;
    rows -= kStepRows;
    return words;
  }
};

__device__ inline float as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// Two operands of 16 x 16 halves: big and small parts of 16 channels where `Split`, else 32 channels.
template <bool Split>
struct Operands {
  uint32_t at[2][4];

  __device__ explicit Operands(const uint2 (&words)[4]) {
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
      const uint2 first = words[2 * pair], second = words[2 * pair + 1];
      if (Split) {
        split(as_float(first.x), as_float(second.x), 2 * pair);
        split(as_float(first.y), as_float(second.y), 2 * pair + 1);
      } else {
        at[pair][0] = first.x;
        at[pair][1] = first.y;
        at[pair][2] = second.x;
        at[pair][3] = second.y;
      }
    }
  }

  __device__ void split(float low, float high, int index) {
    at[0][index] = pack_halves(low, high);
    const float2 big = unpack_halves(at[0][index]);
    at[1][index] = pack_halves(low - big.x, high - big.y);
  }

  // sums += templates * pixels, where `pixels` are eight columns with their big and small parts, or with 32 channels.
  __device__ void multiply(const uint32_t (&pixels)[4], float (&sums)[4]) const {
    if (Split) {
      float step[4] = {0, 0, 0, 0};
      multiply_add(step, at[1], pixels[0], pixels[1]);
      multiply_add(step, at[0], pixels[2], pixels[3]);
      multiply_add(step, at[0], pixels[0], pixels[1]);
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[i] += step[i];
    } else {
      multiply_add(sums, at[0], pixels[0], pixels[1]);
      multiply_add(sums, at[1], pixels[2], pixels[3]);
    }
  }
};

// best[column] = the larger of it and the largest of the column's sums.
template <int Tiles>
__device__ void fold(const float (&sums)[kWarpPanels][Tiles][4], bool first, float* best) {
  const int lane = threadIdx.x;
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float largest = larger(larger(sums[0][tile][i], sums[0][tile][i + 2]),
                             larger(sums[1][tile][i], sums[1][tile][i + 2]));
      for (int step = 4; step < kWarp; step *= 2) {
        largest = larger(largest, __shfl_xor_sync(kAllLanes, largest, step));
      }
      float* at = best + tile * 8 + lane % 4 * 2 + i;
      if (lane < 4) *at = first ? largest : larger(largest, *at);
    }
  }
}

// With 11 tiles a lane holds 88 sums, which leaves registers for 8 warps on a multiprocessor; fewer, for small windows
// that wait for memory more than they multiply, let 16 run.
template <bool Split, int Tiles>
__global__ void __launch_bounds__(kMostWarps* kWarp, Tiles > 7 ? 1 : 2) products_kernel(const Problem problem) {
  constexpr int kColumns = 8 * Tiles;
  const int lane = threadIdx.x, slice = threadIdx.y, place = threadIdx.z;
  const Place block(problem, kColumns);
  find_sources(problem, block);
  if (thread_of_block() == 0) shared().place = block;

  // The slot of each column that this lane gives to load_matrices. Columns after the last one repeat it.
  uint32_t offsets[Tiles];
#pragma unroll
  for (int tile = 0; tile < Tiles; ++tile) {
    const int column = min(block.first_column + tile * 8 + lane % 8, problem.columns - 1);
    const int row = column / problem.side - block.first_row;
    offsets[tile] = (row * problem.slot_width + place + column % problem.side) * kChunkBytes;
  }
  // Of a step's four units it gives one, and all its columns have the same swizzle.
  const uint32_t unit = (lane / 8 ^ ((place + lane % 8 + block.first_column) & 7)) * kUnitBytes;
  __syncthreads();

  for (int first_slice = 0; first_slice * kWarpPanels < problem.panel_count; first_slice += problem.slices) {
    const int x = min(shared().place.x + place, problem.width - 1);
    Panels panels(problem, int64_t{shared().place.y} * problem.width + x, first_slice + slice);
    float sums[kWarpPanels][Tiles][4] = {};
    Words words = panels.next();
    copy_pixels(problem, 0);
#pragma unroll 1
    for (int chunk = 0; chunk < problem.chunks; ++chunk) {
      wait_copies<0>();
      __syncthreads();  // this chunk is there for all warps, and all have done with the one before
      if (chunk + 1 < problem.chunks) copy_pixels(problem, chunk + 1);
      const uint32_t stage = stage_of(problem, chunk);
#pragma unroll 1
      for (int step = 0; step < kChunkSteps; ++step) {
        const Operands<Split> templates[kWarpPanels] = {Operands<Split>(words.at[0]), Operands<Split>(words.at[1])};
        words = panels.next();  // for the next step
        __syncwarp();  // ptxas, which would save registers, must not move these loads behind the products
        const uint32_t from = stage + (unit ^ step * kStepBytes);
#pragma unroll
        for (int tile = 0; tile < Tiles; ++tile) {
          uint32_t pixels[4];
          if (tile && tile % 5 == 0) __syncwarp();  // nor all of these before them, which would need too many
          load_matrices(pixels, from + offsets[tile]);
#pragma unroll
          for (int panel = 0; panel < kWarpPanels; ++panel) templates[panel].multiply(pixels, sums[panel][tile]);
        }
      }
    }
    fold<Tiles>(sums, first_slice == 0, shared().best[place * problem.slices + slice]);
    __syncthreads();  // all warps have done with the last chunk
  }

#pragma unroll 1
  for (int i = thread_of_block(); i < problem.group * kColumns; i += threads_of_block()) {
    const int column = shared().place.first_column + i / problem.group;
    const int x = shared().place.x + i % problem.group;
    if (column >= problem.columns || x >= problem.width) continue;
    const int warp = i % problem.group * problem.slices;
    float largest = shared().best[warp][i / problem.group];
    for (int j = 1; j < problem.slices; ++j) largest = larger(largest, shared().best[warp + j][i / problem.group]);
    problem.table[(int64_t{column} * problem.height + shared().place.y) * problem.width + x] = largest;
  }
}

__global__ void maxima_kernel(const float* table, int64_t images, int height, int width, int side, int forward_radius,
                              int backward_radius, float* forward, float* backward) {
  const int64_t positions = int64_t{height} * width;
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (index >= 2 * images * positions) return;
  const bool is_forward = index < images * positions;
  const int64_t output = is_forward ? index : index - images * positions;
  const int position = static_cast<int>(output % positions);
  const int y = position / width, x = position % width, radius = side / 2;
  const int reach = is_forward ? forward_radius : backward_radius;
  const float* places = table + output / positions * side * side * positions;
  float largest = -INFINITY;
  for (int v = max(y - reach, 0); v <= min(y + reach, height - 1); ++v) {
    for (int u = max(x - reach, 0); u <= min(x + reach, width - 1); ++u) {
      // Forward, templates lie at (v, u) and the query's pixel at (y, x); backward, the other way round.
      const int dy = is_forward ? y - v : v - y, dx = is_forward ? x - u : u - x;
      const int64_t at = is_forward ? int64_t{v} * width + u : position;
      largest = larger(largest, places[((dy + radius) * side + dx + radius) * positions + at]);
    }
  }
  (is_forward ? forward : backward)[output] = largest;
}

int divided_up(int64_t dividend, int64_t divisor) { return static_cast<int>((dividend + divisor - 1) / divisor); }

// Makes blocks of `group` positions; returns the bytes of shared memory that they need.
size_t set_group(Problem& problem, int group) {
  problem.group = group;
  problem.slot_width = problem.side + group - 1;
  problem.slot_count = divided_up(problem.slot_rows * problem.slot_width, 2) * 2;  // so that what follows is aligned
  return sizeof(Shared) + problem.slot_count * (sizeof(int2) + 2 * kChunkBytes);
}

template <bool Split, int Tiles>
void launch_products(Problem problem, uint64_t stream) {
  const int slices = divided_up(problem.panel_count, kWarpPanels);
  problem.slices = divided_up(slices, divided_up(slices, kMostWarps));
  problem.passes = divided_up(problem.columns, 8 * Tiles);
  problem.slot_rows = std::min((8 * Tiles + problem.side - 2) / problem.side + 1, problem.images * problem.side);
  int group = std::min(kMostWarps / problem.slices, problem.width);
  while (group > 1 && set_group(problem, group) > kMostShared) --group;
  const size_t shared_bytes = set_group(problem, group);
  const int64_t blocks = int64_t{problem.passes} * problem.height * divided_up(problem.width, group);
  launch("mutual_match", products_kernel<Split, Tiles>, dim3(grid_size("mutual_match", blocks)),
         dim3(kWarp, problem.slices, group), shared_bytes, stream, problem);
}

// The number of tiles that takes the fewest in all; a pass costs some for itself, most of it reading the templates.
template <bool Split>
void launch_best_products(const Problem& problem, uint64_t stream) {
  constexpr int kPassTiles = 4;
  const auto cost = [&](int tiles) { return divided_up(problem.columns, 8 * tiles) * (tiles + kPassTiles); };
  if (cost(4) <= std::min(cost(7), cost(11))) return launch_products<Split, 4>(problem, stream);
  if (cost(7) <= cost(11)) return launch_products<Split, 7>(problem, stream);
  return launch_products<Split, 11>(problem, stream);
}

}  // namespace

void mutual_match(const TensorView& rows, const TensorView& panels, int64_t channels, int64_t height, int64_t width,
                  int64_t forward_window, int64_t backward_window, bool split, const TensorView& table,
                  const TensorView& forward, const TensorView& backward, uint64_t stream) {
  if (forward_window < 1 || forward_window % 2 == 0 || backward_window < 1 || backward_window % 2 == 0) {
    throw std::invalid_argument("windows must be odd and positive");
  }
  const int64_t side = std::max(forward_window, backward_window), images = rows.size(0), positions = height * width;
  Problem problem{};
  problem.rows = reinterpret_cast<const unsigned char*>(rows.on_cuda<uint16_t>("rows", 3));
  problem.panels = reinterpret_cast<const uint2*>(split ? static_cast<const void*>(panels.on_cuda<float>("panels", 4))
                                                        : panels.on_cuda<uint16_t>("panels", 4));
  problem.table = table.on_cuda<float>("table", 3);
  problem.panel_rows = static_cast<int>(split ? channels : divided_up(channels, 2));
  problem.panel_count = static_cast<int>(panels.size(1));
  problem.chunks = divided_up(problem.panel_rows, kStepRows * kChunkSteps);
  if (problem.panel_count < 1 || channels < 1) throw std::invalid_argument("panels must hold a template and a channel");
  rows.require_shape("rows", {-1, positions, problem.chunks * kChunkBytes / 2});
  panels.require_shape("panels", {positions, -1, problem.panel_rows, split ? kLanes : 2 * kLanes});
  table.require_shape("table", {images, side * side, positions});
  rows.require_contiguous("rows", 3);
  panels.require_contiguous("panels", 4);
  table.require_contiguous("table", 3);
  for (const auto& [name, view] : {std::pair{"forward", &forward}, std::pair{"backward", &backward}}) {
    view->require_shape(name, {images, positions});
    view->require_contiguous(name, 2);
  }
  float* forward_data = forward.on_cuda<float>("forward", 2);
  float* backward_data = backward.on_cuda<float>("backward", 2);
  if (side > kLargestWindow) {
    throw std::invalid_argument("windows must not be larger than " + std::to_string(kLargestWindow));
  }
  if (images * side * side > kMostColumns || images * positions > kMostColumns) {
    throw std::invalid_argument("too many images or positions for one call");
  }
  if (images * positions == 0) return;
  problem.images = static_cast<int>(images);
  problem.height = static_cast<int>(height);
  problem.width = static_cast<int>(width);
  problem.side = static_cast<int>(side);
  problem.columns = static_cast<int>(images * side * side);
  split ? launch_best_products<true>(problem, stream) : launch_best_products<false>(problem, stream);
  constexpr int kThreads = 64;  // few, so that a small map too has a block for every multiprocessor
  launch("mutual_match", maxima_kernel,
         dim3(grid_size("mutual_match", (2 * images * positions + kThreads - 1) / kThreads)), dim3(kThreads), 0, stream,
         problem.table, images, problem.height, problem.width, problem.side, static_cast<int>(forward_window / 2),
         static_cast<int>(backward_window / 2), forward_data, backward_data);
}

}  // namespace pybench::cuda
