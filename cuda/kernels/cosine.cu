// topk on the device, by the contract of firth/cosine.h and with its functions: a float32 scan in tiles of 32 queries x
// 64 items, float64 for the pairs that pass the test, one exact heap per query and slab of items, then a merge of the
// slabs. No limit on k: heaps lie in device memory. There are no warp primitives; barriers alone order the threads of a
// block.
#include "../launch.h"
#include "kernels.h"

namespace firth::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kQueries = 32, kItems = 64, kDepth = 32;  // a tile; kDepth dimensions are in shared memory at a time
constexpr int kColumns = 16, kRows = kThreads / kColumns;
constexpr int kQueriesEach = kQueries / kRows, kItemsEach = kItems / kColumns;
constexpr i64 kHeapBytes = i64{256} << 20;  // of heaps at a time: queries are searched in groups that fit

__device__ i64 first_task() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ i64 all_tasks() { return static_cast<i64>(gridDim.x) * blockDim.x; }
__device__ void lower(i64* to, i64 value) {
  atomicMin(reinterpret_cast<long long*>(to), static_cast<long long>(value));
}

__global__ void reset_kernel(Bad* bad, i64 queries, i64 items) { *bad = {queries, items}; }

// The scan norms of all items.
__global__ void norms_kernel(TopK args, float* norms, Bad* bad) {
  for (i64 i = first_task(); i < args.items.rows; i += all_tasks()) {
    const float* item = row(args.items, i);
    const double squared = dot(item, item, args.items.dim);
    if (!(squared < INFINITY)) lower(&bad->item, i);
    norms[i] = scan_norm(squared, args.cosine);
  }
}

// Starts every query in every slab; args.scaled gets scaled rows. `first` is the group's first query.
__global__ void start_kernel(TopK args, i64 slabs, i64 first, Bad* bad) {
  for (i64 q = first_task(); q < args.queries.rows; q += all_tasks()) {
    const float* query = row(args.queries, q);
    Standing standing;
    if (!start(standing, query, args.queries.dim)) lower(&bad->query, first + q);
    for (i64 slab = 0; slab < slabs; ++slab) args.standings[slab * args.queries.rows + q] = standing;
    for (i64 d = 0; d < args.queries.dim; ++d)
      args.scaled[q * args.queries.dim + d] = static_cast<float>(query[d] * standing.scale);
  }
}

// Rows [first, end) of a matrix, columns [d, d + kDepth), into shared memory; what is not there becomes 0.
template <int kTileRows>
__device__ void load_tile(float (&tile)[kTileRows][kDepth + 1], const float* data, i64 dim, i64 first, i64 end, i64 d) {
  for (int at = threadIdx.x; at < kTileRows * kDepth; at += kThreads) {
    const int r = at / kDepth, c = at % kDepth;
    tile[r][c] = first + r < end && d + c < dim ? data[(first + r) * dim + d + c] : 0.0f;
  }
}

// Block (x, y): query tile x against slab y of `slab_items` items.
__global__ void __launch_bounds__(kThreads) scan_kernel(TopK args, const float* norms, i64 slab_items) {
  __shared__ float query_tile[kQueries][kDepth + 1], item_tile[kItems][kDepth + 1];
  __shared__ double exact[kQueries][kItems];  // -inf: discarded
  __shared__ Standing standings[kQueries];

  const i64 queries = args.queries.rows, dim = args.items.dim;
  const i64 first_query = static_cast<i64>(blockIdx.x) * kQueries;
  const i64 begin = static_cast<i64>(blockIdx.y) * slab_items;
  const i64 end = begin + slab_items < args.items.rows ? begin + slab_items : args.items.rows;
  const int column = threadIdx.x % kColumns, line = threadIdx.x / kColumns;
  const i64 mine = first_query + threadIdx.x;  // the query whose heap this thread keeps
  const bool keeper = threadIdx.x < kQueries && mine < queries;
  const i64 heap = static_cast<i64>(blockIdx.y) * queries + mine;
  if (keeper) standings[threadIdx.x] = args.standings[heap];

  for (i64 first = begin; first < end; first += kItems) {
    float sums[kQueriesEach][kItemsEach] = {};
    for (i64 d = 0; d < dim; d += kDepth) {
      load_tile(query_tile, args.scaled, dim, first_query, queries, d);
      load_tile(item_tile, args.items.data, dim, first, end, d);
      __syncthreads();
      for (int c = 0; c < kDepth; ++c)
        for (int a = 0; a < kQueriesEach; ++a)
          for (int b = 0; b < kItemsEach; ++b)
            sums[a][b] += query_tile[line + a * kRows][c] * item_tile[column + b * kColumns][c];
      __syncthreads();
    }
    int passing = 0;
    for (int a = 0; a < kQueriesEach; ++a) {
      const int q = line + a * kRows;
      const i64 query = first_query + q;
      if (query >= queries) continue;
      for (int b = 0; b < kItemsEach; ++b) {
        const int i = column + b * kColumns;
        const i64 id = first + i;
        double score = -INFINITY;
        if (id < end && id != args.exclude[query] &&
            !(sums[a][b] < standings[q].slope * norms[id] + standings[q].offset)) {
          const double norm = standings[q].norm;
          score = norm > 0 ? exact_score(row(args.queries, query), norm, row(args.items, id), dim, args.cosine) : 0.0;
          passing = 1;
        }
        exact[q][i] = score;
      }
    }
    // The barriers of the next tile's first step part these writes from the reads above.
    if (__syncthreads_or(passing) && keeper) {
      Standing& standing = standings[threadIdx.x];
      Candidate* best = args.heaps + heap * args.k;
      bool changed = false;
      for (int i = 0; i < kItems; ++i) {
        const double score = exact[threadIdx.x][i];
        if (score > -INFINITY) changed |= offer(best, standing.count, args.k, {score, first + i});
      }
      if (changed && standing.count == args.k) set_test(standing, best[0].score, dim, args.cosine);
    }
  }
  if (keeper) args.standings[heap] = standings[threadIdx.x];
}

// Merges the slabs' heaps into the first and sorts it.
__global__ void merge_kernel(TopK args, i64 slabs, i64* ids, float* scores) {
  const i64 queries = args.queries.rows, k = args.k;
  for (i64 q = first_task(); q < queries; q += all_tasks()) {
    Candidate* best = args.heaps + q * k;
    i64 count = args.standings[q].count;
    for (i64 slab = 1; slab < slabs; ++slab)
      for (i64 i = 0; i < args.standings[slab * queries + q].count; ++i)
        offer(best, count, k, args.heaps[(slab * queries + q) * k + i]);
    if (count == k) take_sorted(best, k, ids + q * k, scores + q * k);  // fewer only where a row is not finite
  }
}

i64 clamp(i64 x, i64 low, i64 high) { return x < low ? low : x > high ? high : x; }

}  // namespace

void topk(const TopK& args, i64* ids, float* scores, Bad* bad, cudaStream_t stream) {
  const i64 queries = args.queries.rows, items = args.items.rows, dim = args.items.dim;
  launch("topk: reset", reset_kernel, 1, 1, stream, bad, queries, items);
  const Scratch<float> norms(items, stream);
  launch("topk: norms", norms_kernel, blocks(items, kThreads), kThreads, stream, args, norms.data(), bad);

  // Enough blocks to fill the device; slabs long enough that starting k empty heaps in each costs little.
  const i64 heap_bytes = args.k * static_cast<i64>(sizeof(Candidate));
  const i64 tiles = ceil_div(clamp(queries, 1, 32768), kQueries);
  const i64 longest = items / clamp(8 * args.k, 1024, i64{1} << 30);
  const i64 wanted = clamp(clamp(ceil_div(4 * multiprocessors(), tiles), 1, longest), 1, 65535);
  const i64 slab_items = ceil_div(ceil_div(items, wanted), kItems) * kItems, slabs = ceil_div(items, slab_items);
  const i64 group = clamp(kHeapBytes / (heap_bytes * slabs), 1, clamp(queries, 1, 32768));

  const Scratch<Standing> standings(slabs * group, stream);
  const Scratch<float> scaled(group * dim, stream);
  const Scratch<Candidate> heaps(slabs * group * args.k, stream);
  for (i64 first = 0; first < queries; first += group) {
    TopK part = args;
    part.queries = {row(args.queries, first), clamp(group, 0, queries - first), dim};
    part.exclude = args.exclude + first;
    part.standings = standings.data();
    part.scaled = scaled.data();
    part.heaps = heaps.data();
    const unsigned some = blocks(part.queries.rows, kThreads);
    launch("topk: start", start_kernel, some, kThreads, stream, part, slabs, first, bad);
    const dim3 grid(static_cast<unsigned>(ceil_div(part.queries.rows, kQueries)), static_cast<unsigned>(slabs));
    launch("topk: scan", scan_kernel, grid, kThreads, stream, part, norms.data(), slab_items);
    launch("topk: merge", merge_kernel, some, kThreads, stream, part, slabs, ids + first * args.k,
           scores + first * args.k);
  }
}

}  // namespace firth::cuda
