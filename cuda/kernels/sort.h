// The places of words, sorted by word and then by place: a radix sort of 8 bits a pass. Each pass counts digits by
// tile, adds the counts up over digits and tiles, and moves each word to where those before it end. It is stable, so
// places of a word stay in their order.
#pragma once

#include "sums.h"

namespace firth::cuda {
namespace {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr i64 kSortEach = 16;                       // [?] words that a thread moves in a pass
constexpr i64 kSortTile = kSumThreads * kSortEach;  // words of a block
constexpr i64 kWarpShare = kSortTile / kSumWarps;   // consecutive words of a warp
static_assert(kDigits == kSumThreads, "each thread sums up one digit");

struct Pass {
  const u32 *words, *places;  // places are null in the first pass: they are 0, 1, ...
  u32 *sorted_words, *sorted_places;
  i64 many, tiles;
  i64* counts;  // (digits, tiles)
  int shift;
};
__device__ u32 digit_of(const Pass& a, u32 word) { return word >> a.shift & (kDigits - 1); }

__global__ void __launch_bounds__(kSumThreads) count_digits_kernel(const __grid_constant__ Pass a) {
  __shared__ u32 counts[kDigits];
  for (i64 tile = blockIdx.x; tile < a.tiles; tile += gridDim.x) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (i64 i = tile * kSortTile + threadIdx.x; i < (tile + 1) * kSortTile && i < a.many; i += kSumThreads)
      atomicAdd(counts + digit_of(a, a.words[i]), 1u);
    __syncthreads();
    a.counts[static_cast<i64>(threadIdx.x) * a.tiles + tile] = counts[threadIdx.x];
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kSumThreads) move_kernel(const __grid_constant__ Pass a) {
  __shared__ u32 next[kSumWarps][kDigits];  // where a warp's next word of a digit goes
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (i64 tile = blockIdx.x; tile < a.tiles; tile += gridDim.x) {
    const i64 begin = tile * kSortTile + warp * kWarpShare;
    const i64 end = begin + kWarpShare < a.many ? begin + kWarpShare : a.many;
    for (int w = 0; w < kSumWarps; ++w) next[w][threadIdx.x] = 0;
    __syncthreads();
    for (i64 i = begin + lane(); i < end; i += kWarp) atomicAdd(&next[warp][digit_of(a, a.words[i])], 1u);
    __syncthreads();
    u32 at = static_cast<u32>(a.counts[static_cast<i64>(threadIdx.x) * a.tiles + tile]);
    for (int w = 0; w < kSumWarps; ++w) {
      const u32 here = next[w][threadIdx.x];
      next[w][threadIdx.x] = at;
      at += here;
    }
    __syncthreads();
    for (i64 from = begin; from < end; from += kWarp) {
      const i64 i = from + lane();
      const bool there = i < end;
      const u32 word = there ? a.words[i] : 0, digit = digit_of(a, word);
      u32 peers = __ballot_sync(kWholeWarp, there);  // threads with the same digit
      for (int bit = 0; bit < kDigitBits; ++bit) {
        const u32 set = __ballot_sync(kWholeWarp, static_cast<int>(digit >> bit & 1));
        peers &= digit >> bit & 1 ? set : ~set;
      }
      const u32 rank = static_cast<u32>(__popc(peers & ((1u << lane()) - 1)));
      const u32 to = next[warp][digit] + rank;
      __syncwarp();
      if (there) {
        if (rank == 0) next[warp][digit] = to + static_cast<u32>(__popc(peers));
        a.sorted_words[to] = word;
        a.sorted_places[to] = a.places ? a.places[i] : static_cast<u32>(i);
      }
      __syncwarp();
    }
    __syncthreads();
  }
}

// starts[w] = the first place in sorted words that is not below w.
__global__ void __launch_bounds__(kSumThreads) starts_kernel(const u32* sorted, i64 many, i64 words, i64* starts) {
  const i64 step = static_cast<i64>(gridDim.x) * kSumThreads;
  for (i64 word = static_cast<i64>(blockIdx.x) * kSumThreads + threadIdx.x; word <= words; word += step) {
    i64 begin = 0, end = many;
    while (begin < end) {
      const i64 middle = begin + (end - begin) / 2;
      if (static_cast<i64>(sorted[middle]) < word)
        begin = middle + 1;
      else
        end = middle;
    }
    starts[word] = begin;
  }
}

// Fills starts (words + 1,) and places (many,).
void sort_by_word(const u32* ids, i64 many, i64 words, i64* starts, u32* places, cudaStream_t stream) {
  const i64 tiles = ceil_div(many, kSortTile);
  int bits = 1;
  while (bits < 32 && i64{1} << bits < words) ++bits;
  const int passes = (bits + kDigitBits - 1) / kDigitBits;
  const Scratch<u32> words_of_passes(2 * many, stream), other_places(many, stream);
  const Scratch<i64> counts(tiles * kDigits, stream);
  const u32 *from = ids, *from_places = nullptr;
  for (int pass = 0; pass < passes && many > 0; ++pass) {
    u32* const to = words_of_passes.data() + (pass % 2) * many;
    u32* const to_places = (passes - pass) % 2 ? places : other_places.data();  // the last pass fills the caller's
    const Pass all{from, from_places, to, to_places, many, tiles, counts.data(), pass * kDigitBits};
    launch("places: count", count_digits_kernel, blocks(tiles, 1), kSumThreads, stream, all);
    sums_before(counts.data(), tiles * kDigits, stream);
    launch("places: move", move_kernel, blocks(tiles, 1), kSumThreads, stream, all);
    from = to;
    from_places = to_places;
  }
  launch("places: starts", starts_kernel, blocks(words + 1, kSumThreads), kSumThreads, stream, from, many, words,
         starts);
}

}  // namespace
}  // namespace firth::cuda
