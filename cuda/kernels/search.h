// What the kernels of one search share: its arguments, and the lists of what may be among the k best of a query. A warp
// keeps the lists of a query; its 32 threads run in step only where __syncwarp or __ballot_sync says so.
#pragma once

#include "../launch.h"
#include "kernels.h"

namespace firth::cuda {
namespace {

constexpr int kThreads = 256, kWarp = 32, kWarps = kThreads / kWarp;
constexpr u32 kWholeWarp = 0xffffffff;

// Items are cut into slabs. Lists of slab s and query q lie at s * queries.rows + q; each slab's are as if the others
// were not there, but for `reaches`.
struct Search {
  TopK args;     // scratch has the queries' codes (codes.h)
  u64* reaches;  // (queries,) the greatest reach that a slab has found, as `ordered` bits
  i64 slabs, slab_items;
  i64 room;  // of a waiting list: waiting_room(k), and what a block can add at a time
  Bad* bad;
};

__device__ i64 list_of(const Search& search, i64 slab, i64 query) { return slab * search.args.queries.rows + query; }
__device__ Possible* waiting_at(const Search& search, i64 list) { return search.args.waiting + list * search.room; }
__device__ Candidate* heap_at(const Search& search, i64 list) { return search.args.heaps + list * search.args.k; }

// Bits that are ordered as the numbers are, and back.
__device__ u64 ordered(double value) {
  u64 bits;
  memcpy(&bits, &value, 8);
  return bits >> 63 ? ~bits : bits | u64{1} << 63;
}
__device__ double from_ordered(u64 bits) {
  bits = bits >> 63 ? bits & ~(u64{1} << 63) : ~bits;
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

__device__ void lower(i64* to, i64 value) {
  atomicMin(reinterpret_cast<long long*>(to), static_cast<long long>(value));
}
__device__ void lift(u64* to, double value) {
  atomicMax(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(ordered(value)));
}

// Lets an item wait. Many threads may do so at once; none may look at the list before the next barrier.
__device__ void push(Standing& standing, Possible* list, const Possible& possible) {
  list[atomicAdd(reinterpret_cast<unsigned long long*>(&standing.waiting), 1ull)] = possible;
}

// A number that k or more of the lower bounds reach, and no more than k if that can be: bit by bit from the highest
// down. Bounds are float32, so that the last 29 bits of a double tell nothing.
__device__ double kth_low_of_warp(const Possible* list, i64 count, i64 k) {
  u64 found = 0;
  for (u64 bit = u64{1} << 63; bit >= u64{1} << 29; bit >>= 1) {
    const u64 tried = found | bit;
    i64 reaching = 0;
    for (i64 at = 0; at < count; at += kWarp) {
      const i64 i = at + threadIdx.x % kWarp;
      const bool reaches = i < count && ordered(static_cast<double>(list[i].low)) >= tried;
      reaching += __popc(__ballot_sync(kWholeWarp, reaches));
    }
    if (reaching >= k) found = tried;
    if (reaching == k) break;
  }
  return from_ordered(found);
}

// Item `id` in dimension d as it is ranked, by item_values: where there are only codes, from the panel of one step.
__device__ float item_value(const Items& items, i64 id, i64 d) {
  if (items.rows) return items.rows[id * items.dim + d];
  const i64 panel = id / kPanel, many = codes_per_word(items.scan);
  const unsigned char* step = items.panels + panel * panel_bytes(items.scan, items.dim) + d / many * kStepBytes;
  const Items one{nullptr, step, items.constants + panel * kPanel, kPanel, many, items.scan, items.cosine};
  float values[4];
  return item_values(one, id % kPanel, values)[d % many];
}

// Offers an item to the heap of a query.
__device__ void offer_exact(const TopK& args, Standing& standing, double threshold, Candidate* heap,
                            Candidate candidate) {
  if (candidate.score < threshold) return;
  offer(heap, standing.count, args.k, candidate);
  if (standing.count < args.k || standing.norm == 0) return;
  const double reach = reach_of(standing, heap[0].score, args.items.cosine);
  if (reach > standing.reach) standing.reach = reach;
}

// A warp scores what waits, four items at a time, a thread for each lane of `dot`.
__device__ void score_list(const TopK& args, i64 query, Standing& standing, const Possible* list, i64 count,
                           Candidate* heap, double (&lanes)[2][kWarp]) {
  const int thread = threadIdx.x % kWarp;
  const float* values = row(args.queries, query);
  for (i64 at = 0; at < count; at += kWarp / 8) {
    const i64 i = at + thread / 8;
    const bool asked = i < count && !(list[i].high < standing.reach);
    double product = 0, squared = 0;
    if (asked && standing.norm > 0)
      for (i64 d = thread % 8; d < args.items.dim; d += 8) {
        const double x = static_cast<double>(item_value(args.items, list[i].id, d));
        product += static_cast<double>(values[d]) * x;
        squared += x * x;
      }
    lanes[0][thread] = product;
    lanes[1][thread] = squared;
    const u32 scored = __ballot_sync(kWholeWarp, asked);
    __syncwarp();
    if (thread == 0)
      for (int j = 0; j < kWarp / 8; ++j) {
        if (!(scored >> 8 * j & 1)) continue;
        ++standing.scored;
        const double whole = sum_of_lanes(lanes[0] + 8 * j), squares = sum_of_lanes(lanes[1] + 8 * j);
        const double score = args.items.cosine ? cosine_of(whole, standing.norm, squares) : whole;
        offer_exact(args, standing, args.threshold[query], heap, {score, list[at + j].id});
      }
    __syncwarp();
  }
}

// A warp makes room in a waiting list as `wait` of firth/cosine.h does: by the lower bounds that wait, and if that does
// not clear half of it or if `all` is to be scored, by exact scores. `standing` and `lanes` are shared. Not
// inlined: it would take registers from the products.
__attribute__((noinline)) __device__ void settle(const Search& search, i64 query, Standing& standing, Possible* list,
                                                 Candidate* heap, bool all, double (&lanes)[2][kWarp]) {
  const int thread = threadIdx.x % kWarp;
  const i64 count = standing.waiting, k = search.args.k;
  const double low = count >= k ? kth_low_of_warp(list, count, k) : -INFINITY;
  __syncwarp();
  if (thread == 0 && low > standing.reach) standing.reach = low;
  __syncwarp();
  const double reach = standing.reach;
  i64 kept = 0;
  for (i64 at = 0; at < count; at += kWarp) {
    const i64 i = at + thread;
    Possible possible{};
    if (i < count) possible = list[i];
    const bool keep = i < count && !(possible.high < reach);
    const u32 keeping = __ballot_sync(kWholeWarp, keep);
    __syncwarp();  // all have read before one writes, and no further than they have read
    if (keep) list[kept + __popc(keeping & ((1u << thread) - 1))] = possible;
    kept += __popc(keeping);
  }
  __syncwarp();
  if (all || 2 * kept > waiting_room(k)) {
    score_list(search.args, query, standing, list, kept, heap, lanes);
    kept = 0;
  }
  if (thread == 0) {
    standing.waiting = kept;
    lift(search.reaches + query, standing.reach);
  }
  __syncwarp();
}

}  // namespace
}  // namespace firth::cuda
