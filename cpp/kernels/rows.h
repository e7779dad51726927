// Rows between the tables and a block's working memory: gathered, transposed, added back, and fetched ahead.
#pragma once

#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// The next block's rows, fetched a few at a time between the tiles of this block's products: asked for all at once they
// would wait for each other in the few buffers that a core has for missing lines.
struct Ahead {
  const float** rows;  // (2 * block + window + shared,)
  i64 dim, count, done;

  void note(const Matrix<float>& table, const u32* words, i64 many) {
    for (i64 i = 0; i < many; ++i) rows[count++] = row(table, words[i]);
  }
  void fetch(i64 many) {
    for (const i64 stop = done + many < count ? done + many : count; done < stop; ++done) {
      fetch_to_write(rows[done], dim);
    }
  }
};

inline void fetch_row(const Matrix<float>& table, u32 word) { fetch_to_write(row(table, word), table.dim); }

inline void zero(float* p, i64 count) {
  for (i64 i = 0; i < count; i += kLanes) store(p + i, Floats{});
}

// Rows of a table into working rows, whose tails are zero.
inline void gather(const Matrix<float>& table, const u32* words, i64 count, float* rows, i64 stride) {
  const i64 whole = table.dim / kLanes * kLanes;
  for (i64 i = 0; i < count; ++i) {
    const float* from = row(table, words[i]);
    float* to = rows + i * stride;
    i64 d = 0;
    for (; d < whole; d += kLanes) store(to + d, load(from + d));
    if (d < table.dim) store(to + d, load_first(from + d, table.dim - d)), d += kLanes;
    for (; d < stride; d += kLanes) store(to + d, Floats{});
  }
}

// The sums of kVectors vectors of columns of some rows, added in their order; of the last vector only `last` columns
// are there.
template <int kVectors>
inline void sum_columns(const float* table, i64 dim, const u32* ids, i64 count, i64 last, float* to) {
  constexpr int kTail = (kVectors - 1) * kLanes;
  const bool whole = last == kLanes;
  Floats sums[kVectors] = {};
  for (i64 i = 0; i < count; ++i) {
    const float* from = table + static_cast<i64>(ids[i]) * dim;
#pragma GCC unroll 32
    for (int v = 0; v < kVectors - 1; ++v) sums[v] += load(from + v * kLanes);
    sums[kVectors - 1] += whole ? load(from + kTail) : load_first(from + kTail, last);
  }
#pragma GCC unroll 32
  for (int v = 0; v < kVectors - 1; ++v) store(to + v * kLanes, sums[v]);
  if (whole)
    store(to + kTail, sums[kVectors - 1]);
  else
    store_first(to + kTail, sums[kVectors - 1], last);
}

template <int kMost>
inline void sum_some_columns(i64 vectors, const float* table, i64 dim, const u32* ids, i64 count, i64 last, float* to) {
  if constexpr (kMost > 1)
    if (vectors < kMost) return sum_some_columns<kMost - 1>(vectors, table, dim, ids, count, last, to);
  sum_columns<kMost>(table, dim, ids, count, last, to);
}

constexpr int kSumVectors = 8;  // together, so that as many additions are under way

// to[0, dim) = the sum of some rows of a table, each column added in their order.
inline void sum_rows(const Matrix<const float>& table, const u32* ids, i64 count, float* to) {
  for (i64 d = 0; d < table.dim; d += kSumVectors * kLanes) {
    const i64 left = table.dim - d, vectors = (left + kLanes - 1) / kLanes;
    const i64 now = vectors < kSumVectors ? vectors : kSumVectors;
    const i64 last = left < now * kLanes ? left - (now - 1) * kLanes : kLanes;
    sum_some_columns<kSumVectors>(now, table.data + d, table.dim, ids, count, last, to + d);
  }
}

// gather() of words that are bags of rows: their means, or their sums.
inline void gather_bags(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count, bool mean,
                        float* rows, i64 stride) {
  if (!bags.offsets) return gather(table, words, count, rows, stride);
  for (i64 i = 0; i < count; ++i) {
    const i64 begin = bags.offsets[words[i]], size = bags.offsets[words[i] + 1] - begin;
    float* to = rows + i * stride;
    store(to + stride - kLanes, Floats{});
    sum_rows({table.data, table.rows, table.dim}, bags.ids + begin, size, to);
    if (!mean || size == 0) continue;
    const float share = 1.0f / static_cast<float>(size);
    for (i64 d = 0; d < stride; d += kLanes) store(to + d, load(to + d) * share);
  }
}

// Adds the steps to the table as it is now: what other threads wrote meanwhile stays.
inline void add(const Matrix<float>& table, const u32* words, i64 count, const float* steps, i64 stride) {
  const i64 whole = table.dim / kLanes * kLanes, rest = table.dim - whole;
  for (i64 i = 0; i < count; ++i) {
    if (i + 4 < count) fetch_row(table, words[i + 4]);
    float* to = row(table, words[i]);
    const float* from = steps + i * stride;
    for (i64 d = 0; d < whole; d += kLanes) store(to + d, load(to + d) + load(from + d));
    if (rest) store_first(to + whole, load_first(to + whole, rest) + load(from + whole), rest);
  }
}

// Adds a share of a step to one row.
inline void add_share(const Matrix<float>& table, u32 word, const float* step, float share) {
  const i64 whole = table.dim / kLanes * kLanes, rest = table.dim - whole;
  float* to = row(table, word);
  for (i64 d = 0; d < whole; d += kLanes) store(to + d, load(to + d) + load(step + d) * share);
  if (rest) store_first(to + whole, load_first(to + whole, rest) + load(step + whole) * share, rest);
}

// add() for words that are bags of rows, each of which takes the whole step.
inline void add_bags(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count, const float* steps,
                     i64 stride) {
  if (!bags.offsets) return add(table, words, count, steps, stride);
  for (i64 i = 0; i < count; ++i) {
    const i64 begin = bags.offsets[words[i]], end = bags.offsets[words[i] + 1];
    add(table, bags.ids + begin, end - begin, steps + i * stride, 0);
  }
}

// turned[d][i] = rows[i][d] for the whole block; rows from `count` on count as zero.
inline void turn(const float* rows, i64 count, i64 stride, float* turned, i64 width) {
  for (i64 i = 0; i < width; i += kLanes) {
    for (i64 d = 0; d < stride; d += kLanes) {
      Floats square[kLanes];
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) square[r] = i + r < count ? load(rows + (i + r) * stride + d) : Floats{};
      transpose(square);
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; ++r) store(turned + (d + r) * width + i, square[r]);
    }
  }
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
