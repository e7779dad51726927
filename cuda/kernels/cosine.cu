// prepare and topk on the device, by the contracts of firth/panel.h and firth/cosine.h and with their functions. Tiles
// of queries x items are multiplied in registers: float32 for rows and bfloat16, bytes four at a time for int8. A
// product that passes the test of firth/cosine.h waits, with its bounds, in the list of its query and slab of items;
// lists are cut down when they are full, which raises what the next tiles must reach, in all slabs. At the end a block
// per query merges the slabs' lists and scores in float64 what is left. No limit on k: lists lie in device memory.
#include "codes.h"
#include "search.h"

namespace firth::cuda {
namespace {

constexpr i64 kListBytes = i64{256} << 20;  // of lists at a time: queries are searched in groups that fit
constexpr i64 kFewQueries = 32;             // [?] up to so many are scanned in narrow tiles

// How a block's threads share a tile: kLines x kColumns threads, each with some queries and some items; and how many
// blocks a multiprocessor is to hold at least.
template <int kTheLines, int kQueriesOfEach, int kItemsOfEach, int kTheBlocks>
struct Shape {
  static constexpr int kBlocks = kTheBlocks, kLines = kTheLines, kColumns = kThreads / kLines;
  static constexpr int kQueriesEach = kQueriesOfEach, kItemsEach = kItemsOfEach;
  static constexpr int kQueries = kLines * kQueriesEach, kItems = kColumns * kItemsEach;
  static constexpr int kRun = kItemsEach < 4 ? kItemsEach : 4;  // a thread's items lie in runs
  static __device__ int item(int b) {
    return kRun * (b / kRun * kColumns + static_cast<int>(threadIdx.x) % kColumns) + b % kRun;
  }
  static __device__ int query(int a) { return static_cast<int>(threadIdx.x) / kColumns * kQueriesEach + a; }
};
using Narrow = Shape<1, 8, 1, 4>;  // 8 queries x 256 items
using Broad = Shape<16, 4, 8, 2>;  // 64 queries x 128 items
constexpr int kMostItems = Narrow::kItems;
static_assert(Broad::kItems <= kMostItems && kThreads <= kMostItems);

__device__ void add_product(float& sum, u32 x, u32 y) {
  float a, b;
  memcpy(&a, &x, 4);
  memcpy(&b, &y, 4);
  sum += a * b;
}
__device__ void add_product(int& sum, u32 x, u32 y) { sum = __dp4a(static_cast<int>(x), static_cast<int>(y), sum); }

template <Scan kScan>
struct SumOf {
  using Type = float;
};
template <>
struct SumOf<Scan::kInt8> {
  using Type = int;
};

// What the test of an item takes.
template <int kItems>
struct Constants {
  float grain[kItems], length[kItems], rest[kItems];
};

// Lets an item that passed the test wait, unless it is left out or its bounds are too low. Not inlined: few get here.
__attribute__((noinline)) __device__ int consider(const Search& search, Standing& standing, i64 query, double product,
                                                  i64 id, float grain, float length, float rest) {
  const Possible possible = bounds(standing, product, id, grain, length, rest);
  if (possible.high < standing.reach || left_out(search.args, query, id)) return 0;
  push(standing, waiting_at(search, list_of(search, blockIdx.y, query)), possible);
  return 1;
}

// Block (x, y): query tile x against slab y.
template <Scan kScan, class Shape>
__global__ void __launch_bounds__(kThreads, Shape::kBlocks) scan_kernel(const __grid_constant__ Search search) {
  __shared__ Tile<Shape::kQueries> query_tile;
  __shared__ Tile<Shape::kItems> item_tile;
  __shared__ Constants<Shape::kItems> constants;
  __shared__ Standing standings[Shape::kQueries];
  __shared__ float least[Shape::kQueries];  // h times what q'.t must reach
  __shared__ double lanes[kWarps][2][kWarp];

  const TopK& args = search.args;
  const i64 queries = args.queries.rows, depth = depth_of(kScan, args.items.dim);
  const i64 first_query = static_cast<i64>(blockIdx.x) * Shape::kQueries, slab = blockIdx.y;
  const i64 begin = slab * search.slab_items;
  const i64 end = begin + search.slab_items < args.items.count ? begin + search.slab_items : args.items.count;
  const i64 mine = first_query + threadIdx.x;  // the query whose standing this thread brings up to date
  const bool keeper = threadIdx.x < Shape::kQueries && mine < queries;
  if (keeper) standings[threadIdx.x] = args.standings[list_of(search, slab, mine)];

  for (i64 first = begin; first < end; first += Shape::kItems) {
    if (keeper) {
      Standing& standing = standings[threadIdx.x];
      const double reach = from_ordered(*static_cast<const volatile u64*>(search.reaches + mine));
      if (reach > standing.reach) standing.reach = reach;
      least[threadIdx.x] = static_cast<float>(clamped(standing.grain * standing.reach));
    }
    if (threadIdx.x < Shape::kItems) {
      const i64 id = first + threadIdx.x;
      const bool there = id < end;
      constants.grain[threadIdx.x] = there ? grains(args.items)[id] : 1.0f;
      constants.length[threadIdx.x] = there ? lengths(args.items)[id] : 0.0f;
      constants.rest[threadIdx.x] = there ? rests(args.items)[id] : 0.0f;
    }
    typename SumOf<kScan>::Type sums[Shape::kQueriesEach][Shape::kItemsEach] = {};
    for (i64 c = 0; c < depth; c += kDepth) {
      if (first == begin || depth > kDepth) load_queries<Shape::kQueries>(query_tile, args, depth, first_query, c);
      load_items<kScan, Shape::kItems>(item_tile, args.items, first, c);
      __syncthreads();
      const int words = depth - c < kDepth ? static_cast<int>(depth - c) : kDepth;
#pragma unroll 4
      for (int s = 0; s < words; ++s) {
        u32 x[Shape::kItemsEach], y[Shape::kQueriesEach];
        for (int b = 0; b < Shape::kItemsEach; b += Shape::kRun) {
          const Quad quad = item_tile[s][Shape::item(b) / 4];
          for (int i = 0; i < Shape::kRun; ++i) x[b + i] = quad.words[(Shape::item(b) + i) % 4];
        }
        for (int a = 0; a < Shape::kQueriesEach; a += 4) {
          const Quad quad = query_tile[s][Shape::query(a) / 4];
          for (int i = 0; i < 4; ++i) y[a + i] = quad.words[i];
        }
        for (int a = 0; a < Shape::kQueriesEach; ++a)
          for (int b = 0; b < Shape::kItemsEach; ++b) add_product(sums[a][b], x[b], y[a]);
      }
      __syncthreads();
    }

    // The test of firth/cosine.h with each item's own length and rest, in float32: its roundings are of the few u that
    // delta has for the test. What passes is held against its bounds in float64.
    float reach[Shape::kQueriesEach], rounding[Shape::kQueriesEach], spread[Shape::kQueriesEach];
    for (int a = 0; a < Shape::kQueriesEach; ++a) {
      reach[a] = least[Shape::query(a)];
      rounding[a] = standings[Shape::query(a)].rounding;
      spread[a] = standings[Shape::query(a)].spread;
    }
    int waiting = 0;
#pragma unroll
    for (int b = 0; b < Shape::kItemsEach; ++b) {
      const int i = Shape::item(b);
      const float grain = constants.grain[i], length = constants.length[i], rest = constants.rest[i];
      const float weight = length * grain;
#pragma unroll
      for (int a = 0; a < Shape::kQueriesEach; ++a) {
        if (static_cast<float>(sums[a][b]) < reach[a] * grain - (rounding[a] * weight + spread[a] * rest)) continue;
        const int q = Shape::query(a);
        if (first_query + q < queries && first + i < end)
          waiting |= consider(search, standings[q], first_query + q, static_cast<double>(sums[a][b]), first + i, grain,
                              length, rest);
      }
    }
    if (!__syncthreads_or(waiting)) continue;
    for (int q = threadIdx.x / kWarp; q < Shape::kQueries; q += kWarps) {
      if (first_query + q >= queries || standings[q].waiting <= waiting_room(args.k)) continue;
      const i64 list = list_of(search, slab, first_query + q);
      settle(search, first_query + q, standings[q], waiting_at(search, list), heap_at(search, list), false,
             lanes[threadIdx.x / kWarp]);
    }
    __syncthreads();
  }
  if (keeper) args.standings[list_of(search, slab, mine)] = standings[threadIdx.x];
}

// A block merges the lists of all slabs of a query into those of the first, scores what is left and sorts it.
__global__ void __launch_bounds__(kThreads)
    merge_kernel(const __grid_constant__ Search search, i64* ids, double* scores) {
  __shared__ Standing standing;
  __shared__ double lanes[2][kWarp];
  const TopK& args = search.args;
  const i64 q = blockIdx.x, k = args.k;
  const int warp = threadIdx.x / kWarp, thread = threadIdx.x % kWarp;
  Possible* list = waiting_at(search, list_of(search, 0, q));
  Candidate* heap = heap_at(search, list_of(search, 0, q));
  if (threadIdx.x == 0) {
    standing = args.standings[list_of(search, 0, q)];
    const double reach = from_ordered(search.reaches[q]);
    if (reach > standing.reach) standing.reach = reach;
  }
  __syncthreads();
  if (warp == 0)  // few lists were ever scored, but all must be asked
    for (i64 some = 0; some < search.slabs; some += kWarp) {
      const i64 slab = some + thread;
      const i64 held = slab > 0 && slab < search.slabs ? args.standings[list_of(search, slab, q)].count : 0;
      for (u32 bits = __ballot_sync(kWholeWarp, held > 0); bits; bits &= bits - 1) {
        if (thread != 0) continue;
        const i64 other = list_of(search, some + __popc((bits & (~bits + 1)) - 1), q);
        for (i64 i = 0; i < args.standings[other].count; ++i)
          offer_exact(args, standing, -INFINITY, heap, heap_at(search, other)[i]);
      }
    }
  for (i64 some = 1; some < search.slabs; some += kWarps) {
    const i64 slab = some + warp;
    const i64 held = slab < search.slabs ? args.standings[list_of(search, slab, q)].waiting : 0;
    const Possible* other = waiting_at(search, list_of(search, slab, q));
    for (i64 at = 0; __syncthreads_or(at < held); at += kWarp) {
      const i64 i = at + thread;
      if (i < held && !(other[i].high < standing.reach)) push(standing, list, other[i]);
      __syncthreads();
      if (warp == 0 && standing.waiting > waiting_room(k)) settle(search, q, standing, list, heap, false, lanes);
    }
  }
  if (warp != 0) return;
  __syncwarp();
  settle(search, q, standing, list, heap, true, lanes);
  if (thread == 0) take_sorted(heap, standing.count, k, ids + q * k, scores + q * k);
}

template <class T>
__global__ void set_kernel(T* to, T value) {
  *to = value;
}

i64 clamp(i64 x, i64 low, i64 high) { return x < low ? low : x > high ? high : x; }

// How many slabs keep the device busy: as few as do it within 2%, if blocks run in rounds of `places`.
i64 slabs_for(i64 tiles, i64 places, i64 most) {
  i64 best = 1;
  for (i64 slabs = 2; slabs <= most; ++slabs)
    if (100 * ceil_div(tiles * slabs, places) * best < 98 * ceil_div(tiles * best, places) * slabs) best = slabs;
  return best;
}

template <Scan kScan>
void scan(const Search& search, bool narrow, cudaStream_t stream) {
  const i64 tiles = ceil_div(search.args.queries.rows, narrow ? Narrow::kQueries : Broad::kQueries);
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(search.slabs));
  launch("topk: scan", narrow ? scan_kernel<kScan, Narrow> : scan_kernel<kScan, Broad>, grid, kThreads, stream, search);
}

}  // namespace

void prepare(const Prepare& args, cudaStream_t stream) {
  launch("prepare: status", set_kernel<i64>, 1, 1, stream, args.bad_item, args.rows.rows);
  launch("prepare", prepare_kernel, blocks(panels_of(args.rows.rows), 1), kThreads, stream, args);
}

void topk(const TopK& args, i64* ids, double* scores, Bad* bad, cudaStream_t stream) {
  const i64 queries = args.queries.rows, count = args.items.count, dim = args.items.dim, k = args.k;
  const bool raw = !args.items.constants;
  launch("topk: status", set_kernel<Bad>, 1, 1, stream, bad, Bad{queries, count});
  const Scratch<float> constants(raw ? 3 * panels_of(count) * kPanel : 1, stream);
  Items items = args.items;
  if (raw) {
    items.constants = constants.data();
    items.scan = Scan::kFloat32;
    prepare({{items.rows, count, dim}, items.scan, items.cosine, true, nullptr, constants.data(), nullptr, &bad->item},
            stream);
  }

  // Slabs are long enough that starting empty lists in each costs little.
  const bool narrow = queries <= kFewQueries;
  const i64 room = clamp(waiting_room(k), 1, count) + kMostItems;
  const i64 tiles = ceil_div(clamp(queries, 1, 32768), narrow ? Narrow::kQueries : Broad::kQueries);
  const i64 places = multiprocessors() * (narrow ? Narrow::kBlocks : Broad::kBlocks);
  const i64 wanted = slabs_for(tiles, places, clamp(count / clamp(8 * k, 1024, i64{1} << 30), 1, 2 * places));
  const i64 slab_items = ceil_div(ceil_div(count, wanted), kMostItems) * kMostItems,
            slabs = ceil_div(count, slab_items);
  const i64 query_bytes = slabs * (room * static_cast<i64>(sizeof(Possible)) + k * static_cast<i64>(sizeof(Candidate)));
  const i64 group = clamp(kListBytes / query_bytes, 1, clamp(queries, 1, 32768));

  const Scratch<Standing> standings(slabs * group, stream);
  const Scratch<u64> reaches(group, stream);
  const Scratch<Possible> waiting(slabs * group * room, stream);
  const Scratch<Candidate> heaps(slabs * group * k, stream);
  const Scratch<unsigned char> codes(code_bytes(items.scan, group, dim), stream);
  for (i64 first = 0; first < queries; first += group) {
    TopK part = args;
    part.items = items;
    part.queries = {row(args.queries, first), clamp(group, 0, queries - first), dim};
    part.exclude = args.exclude + first * args.excluded;
    part.threshold = args.threshold + first;
    part.standings = standings.data();
    part.waiting = waiting.data();
    part.heaps = heaps.data();
    part.scratch = codes.data();
    const Search search{part, reaches.data(), slabs, slab_items, room, bad};
    const unsigned each = static_cast<unsigned>(part.queries.rows);
    launch("topk: start", start_kernel, each, kStartThreads, stream, search, first);
    if (items.scan == Scan::kFloat32)
      scan<Scan::kFloat32>(search, narrow, stream);
    else if (items.scan == Scan::kBfloat16)
      scan<Scan::kBfloat16>(search, narrow, stream);
    else
      scan<Scan::kInt8>(search, narrow, stream);
    launch("topk: merge", merge_kernel, each, kThreads, stream, search, ids + first * k, scores + first * k);
  }
}

}  // namespace firth::cuda
