// Rows between the tables and a block's working memory: gathered, transposed, added back, and fetched ahead.
#pragma once

#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// The next block's rows, fetched a few at a time between the tiles of this block's products: asked for all at once they
// would wait for each other in the few buffers that a core has for missing lines.
struct Ahead {
  const float** rows;            // (rows_ahead,)
  i64 dim, stride, count, done;  // stride: rows that one fetch() asks for

  void note(const Matrix<float>& table, const u32* words, i64 many) {
    for (i64 i = 0; i < many; ++i) rows[count++] = row(table, words[i]);
  }
  void note_bags(const Matrix<float>& table, const Bags& bags, const u32* words, i64 many) {
    if (!bags.offsets) return note(table, words, many);
    for (i64 i = 0; i < many; ++i) {
      const i64 begin = bags.offsets[words[i]], size = bags.offsets[words[i] + 1] - begin;
      note(table, bags.ids + begin, size < kBagAhead ? size : kBagAhead);
    }
  }
  void fetch() {
    for (const i64 stop = done + stride < count ? done + stride : count; done < stop; ++done) {
      const char* bytes = reinterpret_cast<const char*>(rows[done]);
      for (i64 b = 0; b < 4 * dim; b += 64) __builtin_prefetch(bytes + b, 1, 2);
    }
  }
};

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

// to[0, kVectors * kLanes) = the sums of these columns of some rows, added in their order.
template <int kVectors>
inline void sum_columns(const float* table, i64 dim, const u32* ids, i64 count, float* to) {
  Floats sums[kVectors];
#pragma GCC unroll 32
  for (int v = 0; v < kVectors; ++v) sums[v] = Floats{};
  for (i64 i = 0; i < count; ++i) {
    const float* from = table + static_cast<i64>(ids[i]) * dim;
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; ++v) sums[v] += load(from + v * kLanes);
  }
#pragma GCC unroll 32
  for (int v = 0; v < kVectors; ++v) store(to + v * kLanes, sums[v]);
}

// The sum of some rows of a table, each column added in their order; the tail of `to` becomes zero.
inline void sum_rows(const Matrix<const float>& table, const u32* ids, i64 count, float* to, i64 stride) {
  i64 d = 0;
  for (; d + 4 * kLanes <= table.dim; d += 4 * kLanes) sum_columns<4>(table.data + d, table.dim, ids, count, to + d);
  for (; d + kLanes <= table.dim; d += kLanes) sum_columns<1>(table.data + d, table.dim, ids, count, to + d);
  if (d < table.dim) {
    Floats tail = {};
    for (i64 i = 0; i < count; ++i) tail += load_first(row(table, ids[i]) + d, table.dim - d);
    store(to + d, tail);
    d += kLanes;
  }
  for (; d < stride; d += kLanes) store(to + d, Floats{});
}

// gather() of words that are bags of rows: their means, or their sums.
inline void gather_bags(const Matrix<float>& table, const Bags& bags, const u32* words, i64 count, bool mean,
                        float* rows, i64 stride) {
  if (!bags.offsets) return gather(table, words, count, rows, stride);
  for (i64 i = 0; i < count; ++i) {
    const i64 begin = bags.offsets[words[i]], size = bags.offsets[words[i] + 1] - begin;
    float* to = rows + i * stride;
    sum_rows({table.data, table.rows, table.dim}, bags.ids + begin, size, to, stride);
    if (!mean || size == 0) continue;
    const float share = 1.0f / static_cast<float>(size);
    for (i64 d = 0; d < stride; d += kLanes) store(to + d, load(to + d) * share);
  }
}

// Adds the steps to the table as it is now: what other threads wrote meanwhile stays.
inline void add(const Matrix<float>& table, const u32* words, i64 count, const float* steps, i64 stride) {
  const i64 whole = table.dim / kLanes * kLanes, rest = table.dim - whole;
  for (i64 i = 0; i < count; ++i) {
    float* to = row(table, words[i]);
    const float* from = steps + i * stride;
    for (i64 d = 0; d < whole; d += kLanes) store(to + d, load(to + d) + load(from + d));
    if (rest) store_first(to + whole, load_first(to + whole, rest) + load(from + whole), rest);
  }
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
