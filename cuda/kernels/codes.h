// Rows into panels, queries into codes, and both into the tiles of shared memory that products are made of.
#pragma once

#include "search.h"

namespace firth::cuda {
namespace {

// ---- items ----------------------------------------------------------------------------------------------------------

constexpr int kRowThreads = kThreads / kPanel;

// A block makes a panel. Threads first go along the rows, 16 to a row, then down the steps, 16 to a step, so that rows
// are read and words written in order. Sums are in float64: what is left of their errors is far below the bounds'
// slack.
__global__ void __launch_bounds__(kThreads) prepare_kernel(const Prepare args) {
  __shared__ double sums[2][kPanel][kRowThreads + 1];
  __shared__ float greatest[kPanel][kRowThreads + 1];
  const i64 rows = args.rows.rows, dim = args.rows.dim, panels = panels_of(rows), padded = panels * kPanel;
  const i64 steps = steps_of(args.scan, dim), many = codes_per_word(args.scan);
  const bool bytes = args.scan == Scan::kInt8;
  const int across = threadIdx.x % kPanel, down = threadIdx.x / kPanel;
  for (i64 panel = blockIdx.x; panel < panels; panel += gridDim.x) {
    double squared = 0;
    float largest = 0;
    if (panel * kPanel + down < rows)
      for (i64 d = across; d < dim; d += kRowThreads) {
        const float x = row(args.rows, panel * kPanel + down)[d];
        squared += static_cast<double>(x) * static_cast<double>(x);
        largest = fmaxf(largest, fabsf(x));
      }
    sums[0][down][across] = squared;
    greatest[down][across] = largest;
    __syncthreads();
    squared = largest = 0;
    for (int i = 0; i < kRowThreads; ++i) {
      squared += sums[0][across][i];
      largest = fmaxf(largest, greatest[across][i]);
    }
    __syncthreads();

    const i64 id = panel * kPanel + across;
    const bool finite = squared < INFINITY;
    if (!finite && down == 0) lower(args.bad_item, id);
    const double norm = finite ? sqrt(squared) : 0.0;
    // Codes alone are rows of their own, whose cosines do not depend on a scale: none of them is too small or too
    // great.
    const bool usual = norm > 0 && ((args.cosine && !args.keep_exact) || (norm >= 0x1p-30 && norm <= 0x1p60));
    const double up = usual ? ldexp(1.0, -ilogb(static_cast<double>(largest))) : 1.0;
    const float factor = bytes && usual ? 127.0f / static_cast<float>(largest * up) : 1.0f;
    double size = 0, lost = 0;
    for (i64 step = down; args.panels && step < steps; step += kRowThreads) {
      u32 word = bytes ? 0x80808080 : 0;
      for (i64 i = 0; usual && i < many && step * many + i < dim; ++i) {
        const double scaled = row(args.rows, id)[step * many + i] * up;
        const float value = static_cast<float>(scaled) * factor;
        const float code = bytes ? rintf(value) : from_bfloat16(to_bfloat16(value));
        const double error = scaled * static_cast<double>(factor) - static_cast<double>(code);
        size += static_cast<double>(code) * static_cast<double>(code);
        lost += error * error;
        word ^= bytes ? (static_cast<u32>(static_cast<int>(code) + 128) ^ 0x80) << 8 * i : to_bfloat16(value) << 16 * i;
      }
      reinterpret_cast<u32*>(args.panels + (panel * steps + step) * kStepBytes)[across] = word;
    }
    sums[0][across][down] = size;
    sums[1][across][down] = lost;
    __syncthreads();
    if (down == 0) {
      for (int i = 1; i < kRowThreads; ++i) {
        size += sums[0][across][i];
        lost += sums[1][across][i];
      }
      const double scale = args.panels ? factor * up : 1.0;
      const double wanted = !args.cosine ? scale : args.keep_exact ? scale * norm : sqrt(size);
      const float grain = usual ? static_cast<float>(wanted) : norm > 0 ? NAN : 1.0f;
      const double ranked = args.cosine ? 1.0 : args.keep_exact ? norm : 0.0;
      const double coded = (args.panels ? sqrt(size) : norm) / static_cast<double>(grain);
      constexpr double kUp = 1 + 0x1p-22;  // covers rounding to float32
      args.constants[id] = grain;
      args.constants[padded + id] = usual ? static_cast<float>(fmax(ranked, coded) * kUp) : 0.0f;
      args.constants[2 * padded + id] = usual && args.keep_exact ? static_cast<float>(sqrt(lost) * kUp) : 0.0f;
    }
    __syncthreads();
  }
}

// ---- queries --------------------------------------------------------------------------------------------------------

constexpr int kStartThreads = 32;

// How many words of a tile an item or a query has: a float32 for each dimension, or four bytes.
FIRTH_HD i64 depth_of(Scan scan, i64 dim) {
  return scan == Scan::kBfloat16 ? 2 * steps_of(scan, dim) : steps_of(scan, dim);
}
FIRTH_HD i64 code_bytes(Scan scan, i64 queries, i64 dim) {
  return panels_of(queries) * depth_of(scan, dim) * kStepBytes;
}

// A block starts a query in every slab and writes its codes into panels of 16 queries; bytes are signed. `first` is the
// group's first query.
__global__ void __launch_bounds__(kStartThreads) start_kernel(const Search search, i64 first) {
  __shared__ Standing standing;
  const TopK& args = search.args;
  const Scan scan = args.items.scan;
  const i64 q = blockIdx.x, dim = args.queries.dim, depth = depth_of(scan, dim);
  const float* query = row(args.queries, q);
  if (threadIdx.x == 0) {
    if (!start(standing, query, dim, scan, args.threshold[q], args.items.cosine)) lower(&search.bad->query, first + q);
    search.reaches[q] = ordered(standing.reach);
  }
  __syncthreads();
  for (i64 slab = threadIdx.x; slab < search.slabs; slab += kStartThreads)
    args.standings[list_of(search, slab, q)] = standing;
  const i64 many = scan == Scan::kInt8 ? 4 : 1;
  for (i64 c = threadIdx.x; c < depth; c += kStartThreads) {
    u32 word = 0;
    for (i64 i = 0; standing.norm > 0 && i < many && c * many + i < dim; ++i) {
      const double code = query_code(scan, query[c * many + i] * standing.scale * static_cast<double>(standing.grain));
      const float single = static_cast<float>(code);
      if (scan == Scan::kInt8)
        word |= (static_cast<u32>(static_cast<int>(code)) & 0xff) << 8 * i;
      else
        memcpy(&word, &single, 4);
    }
    reinterpret_cast<u32*>(args.scratch + (q / kPanel * depth + c) * kStepBytes)[q % kPanel] = word;
  }
}

// ---- tiles ----------------------------------------------------------------------------------------------------------

constexpr int kDepth = 32;  // words of each item and query that are in shared memory at a time

struct alignas(16) Quad {
  u32 words[4];
};
// Rows [word][column of four]; one more column, so that threads that write down a row do not all meet in one bank.
template <int kWidth>
using Tile = Quad[kDepth][kWidth / 4 + 1];

// Calls put(step, column, words) for steps [step, step + kSteps) of kWidth consecutive items of panels; what is not
// there is `nothing`.
template <int kWidth, int kSteps, class Put>
__device__ void each_quad(const unsigned char* panels, i64 many, i64 steps, i64 first, i64 step, u32 nothing, Put put) {
  constexpr int kQuads = (kWidth < kPanel ? kWidth : static_cast<int>(kPanel)) / 4;
  for (int at = threadIdx.x; at < kWidth / 4 * kSteps; at += kThreads) {
    const int s = at / kQuads % kSteps, column = at / (kQuads * kSteps) * kPanel + at % kQuads * 4;
    const i64 panel = (first + column) / kPanel;
    Quad quad{{nothing, nothing, nothing, nothing}};
    if (panel < many && step + s < steps)
      quad = *reinterpret_cast<const Quad*>(panels + (panel * steps + step + s) * kStepBytes +
                                            (first + column) % kPanel * 4);
    put(s, column / 4, quad);
  }
}

// Words [c, c + kDepth) of queries from `first` on.
template <int kWidth>
__device__ void load_queries(Tile<kWidth>& tile, const TopK& args, i64 depth, i64 first, i64 c) {
  each_quad<kWidth, kDepth>(args.scratch, panels_of(args.queries.rows), depth, first, c, 0,
                            [&tile](int s, int column, const Quad& quad) { tile[s][column] = quad; });
}

// Words [c, c + kDepth) of items from `first` on: rows as they lie, two float32 for a word of bfloat16, signed bytes.
template <Scan kScan, int kWidth>
__device__ void load_items(Tile<kWidth>& tile, const Items& items, i64 first, i64 c) {
  const i64 dim = items.dim, many = panels_of(items.count), steps = steps_of(kScan, dim);
  if (kScan == Scan::kFloat32) {
    for (int at = threadIdx.x; at < kWidth * kDepth; at += kThreads) {
      const int r = at / kDepth, s = at % kDepth;
      const float value = first + r < items.count && c + s < dim ? items.rows[(first + r) * dim + c + s] : 0.0f;
      memcpy(&tile[s][r / 4].words[r % 4], &value, 4);
    }
  } else if (kScan == Scan::kBfloat16) {
    each_quad<kWidth, kDepth / 2>(items.panels, many, steps, first, c / 2, 0,
                                  [&tile](int s, int column, const Quad& quad) {
                                    for (int i = 0; i < 4; ++i) {
                                      tile[2 * s][column].words[i] = quad.words[i] << 16;
                                      tile[2 * s + 1][column].words[i] = quad.words[i] & 0xffff0000;
                                    }
                                  });
  } else {
    each_quad<kWidth, kDepth>(items.panels, many, steps, first, c, 0x80808080,
                              [&tile](int s, int column, const Quad& quad) {
                                for (int i = 0; i < 4; ++i) tile[s][column].words[i] = quad.words[i] ^ 0x80808080;
                              });
  }
}

}  // namespace
}  // namespace firth::cuda
