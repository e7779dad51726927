// C = A B or C += A B in register tiles, for the small products inside a kernel. A is read element by element with two
// strides (so a transposed A costs nothing), B and C are rows of whole vectors.
#pragma once

#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

struct Strided {
  const float* data;
  i64 row, column;
};

enum class Into { kZero, kSum };  // C starts from zero, or from what it holds

template <int kRows, int kVectors>
inline void tile(Into into, Strided a, const float* b, i64 b_row, float* c, i64 c_row, i64 depth) {
  Floats sums[kRows][kVectors];
#pragma GCC unroll 32
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; ++v) sums[r][v] = Floats{};
  if (into == Into::kSum)
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 32
      for (int v = 0; v < kVectors; ++v) sums[r][v] = load(c + r * c_row + v * kLanes);
  for (i64 k = 0; k < depth; ++k) {
    Floats right[kVectors];
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; ++v) right[v] = load(b + k * b_row + v * kLanes);
#pragma GCC unroll 32
    for (int r = 0; r < kRows; ++r) {
      const float left = a.data[r * a.row + k * a.column];
#pragma GCC unroll 32
      for (int v = 0; v < kVectors; ++v) sums[r][v] += right[v] * left;
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 32
    for (int v = 0; v < kVectors; ++v) store(c + r * c_row + v * kLanes, sums[r][v]);
}

// All rows of C for kVectors columns of vectors: tiles of kRows rows, then single rows.
template <int kRows, int kVectors>
__attribute__((noinline)) void columns(Into into, i64 rows, i64 depth, Strided a, const float* b, i64 b_row, float* c,
                                       i64 c_row) {
  i64 r = 0;
  for (; r + kRows <= rows; r += kRows)
    tile<kRows, kVectors>(into, {a.data + r * a.row, a.row, a.column}, b, b_row, c + r * c_row, c_row, depth);
  for (; r < rows; ++r)
    tile<1, kVectors>(into, {a.data + r * a.row, a.row, a.column}, b, b_row, c + r * c_row, c_row, depth);
}

// Rows of a tile of that many vectors: as many sums as there are registers for.
constexpr int tile_rows(int vectors) {
  const bool many = kTileVectors == 7;
  return vectors == 1 ? 8 : vectors == 2 ? (many ? 8 : 6) : vectors == 3 && many ? 6 : 4;
}

// columns() of `vectors` columns, which are at most kMost.
template <int kMost>
inline void some_columns(i64 vectors, Into into, i64 rows, i64 depth, Strided a, const float* b, i64 b_row, float* c,
                         i64 c_row) {
  if constexpr (kMost > 1)
    if (vectors < kMost) return some_columns<kMost - 1>(vectors, into, rows, depth, a, b, b_row, c, c_row);
  columns<tile_rows(kMost), kMost>(into, rows, depth, a, b, b_row, c, c_row);
}

// C (rows, vectors * kLanes) = or += A (rows, depth) B (depth, vectors * kLanes).
inline void product(Into into, i64 rows, i64 vectors, i64 depth, Strided a, const float* b, i64 b_row, float* c,
                    i64 c_row) {
  while (vectors > 0) {
    const i64 now = vectors < kTileVectors ? vectors : kTileVectors;
    some_columns<kTileVectors>(now, into, rows, depth, a, b, b_row, c, c_row);
    b += now * kLanes;
    c += now * kLanes;
    vectors -= now;
  }
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
