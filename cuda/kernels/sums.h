// Prefix sums of a block and of an array of any length.
#pragma once

#include "warp.h"

namespace firth::cuda {
namespace {

constexpr int kSumThreads = 256, kSumWarps = kSumThreads / kWarp;  // of every block that adds up together
constexpr i64 kSumEach = 8;                                        // numbers of an array that a thread adds up

// The sum over the threads of the block before this one. `sums` is shared, for kSumWarps numbers, and free again when
// the block has met once more; *total is the same for all threads.
__device__ i64 sum_before(i64 mine, i64* sums, i64* total) {
  const i64 up_to = sum_up_to(mine);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  if (lane() == kWarp - 1) sums[warp] = up_to;
  __syncthreads();
  i64 before = up_to - mine;
  *total = 0;
  for (int w = 0; w < kSumWarps; ++w) {
    if (w < warp) before += sums[w];
    *total += sums[w];
  }
  return before;
}

// The sums of tiles of an array.
__global__ void __launch_bounds__(kSumThreads) tile_sums_kernel(const i64* values, i64 many, i64* tiles) {
  __shared__ i64 sums[kSumWarps];
  constexpr i64 kTile = kSumThreads * kSumEach;
  for (i64 tile = blockIdx.x; tile * kTile < many; tile += gridDim.x) {
    i64 mine = 0, total;
    for (i64 i = tile * kTile + threadIdx.x; i < (tile + 1) * kTile; i += kSumThreads)
      if (i < many) mine += values[i];
    sum_before(mine, sums, &total);
    if (threadIdx.x == 0) tiles[tile] = total;
    __syncthreads();
  }
}

// Each number becomes the sum of those before it in its tile, and of tiles before it where those are given.
__global__ void __launch_bounds__(kSumThreads) sums_before_kernel(i64* values, i64 many, const i64* tiles) {
  __shared__ i64 sums[kSumWarps];
  constexpr i64 kTile = kSumThreads * kSumEach;
  i64 passed = 0;  // by a block that takes all tiles in turn
  for (i64 tile = blockIdx.x; tile * kTile < many; tile += gridDim.x) {
    const i64 first = tile * kTile + static_cast<i64>(threadIdx.x) * kSumEach;
    i64 mine = 0, total;
    for (i64 i = first; i < first + kSumEach && i < many; ++i) mine += values[i];
    i64 before = sum_before(mine, sums, &total) + (tiles ? tiles[tile] : passed);
    for (i64 i = first; i < first + kSumEach && i < many; ++i) {
      const i64 value = values[i];
      values[i] = before;
      before += value;
    }
    passed += total;
    __syncthreads();
  }
}

// Replaces each number by the sum of those before it.
void sums_before(i64* values, i64 many, cudaStream_t stream) {
  const i64 tiles = ceil_div(many, kSumThreads * kSumEach);
  if (tiles <= 1) return launch("sums", sums_before_kernel, 1, kSumThreads, stream, values, many, nullptr);
  const Scratch<i64> of_tiles(tiles, stream);
  launch("sums of tiles", tile_sums_kernel, blocks(tiles, 1), kSumThreads, stream, values, many, of_tiles.data());
  launch("sums of sums", sums_before_kernel, 1, kSumThreads, stream, of_tiles.data(), tiles, nullptr);
  launch("sums", sums_before_kernel, blocks(tiles, 1), kSumThreads, stream, values, many, of_tiles.data());
}

}  // namespace
}  // namespace firth::cuda
