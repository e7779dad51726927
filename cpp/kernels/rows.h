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
