// The only file that knows a matrix unit (AMX): the scores of up to 32 queries and 32 items at a time, of which its
// eight tile registers hold four tiles of 16 x 16. A panel is a tile as it lies in memory, 16 steps of it at most.
#pragma once

#include "firth/panel.h"
#include "simd.h"

namespace firth::FIRTH_LEVEL {
namespace {

// Two vectors as bfloat16, to nearest, ties to even; numbers below 2^-126 become zero. And words that have the same
// element of two rows of 32 each.
struct Paired {
  Floats first, second;
};
#if defined(__AVX512BF16__)
inline void store_halves(u16* p, Floats low, Floats high) {
  const __m512bh halves = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(high), reinterpret_cast<__m512>(low));
  __builtin_memcpy(p, &halves, sizeof halves);
}
inline Paired paired(const u16* low, const u16* high) {
  typedef u16 Shorts __attribute__((vector_size(kBytes)));
  Shorts a, b, first{}, second{};
  __builtin_memcpy(&a, low, sizeof a);
  __builtin_memcpy(&b, high, sizeof b);
  for (int i = 0; i < 2 * kLanes; ++i) {
    const int from = i / 2 + i % 2 * 2 * kLanes;
    first[i] = static_cast<u16>(from);
    second[i] = static_cast<u16>(from + kLanes);
  }
  return {reinterpret_cast<Floats>(__builtin_shuffle(a, b, first)),
          reinterpret_cast<Floats>(__builtin_shuffle(a, b, second))};
}
#else
inline void store_halves(u16*, Floats, Floats) {}
inline Paired paired(const u16*, const u16*) { return {Floats{}, Floats{}}; }
#endif

// How the steps of a panel are cut into tiles of equal depth; the last begins early rather than end late, and the
// queries are 0 where it repeats steps.
struct Depth {
  i64 tiles, steps;
  i64 begin(i64 tile, i64 all) const { return (tile + 1) * steps < all ? tile * steps : all - steps; }
};
constexpr Depth depth_of(i64 steps) {
  const i64 tiles = (steps + 15) / 16;
  return {tiles, (steps + tiles - 1) / tiles};
}
constexpr i64 kTileBytes = 1024;

#if defined(__AMX_INT8__)
constexpr bool kMatrixUnit = true;

// Has the unit, if it is wanted, for as long as it lives.
class MatrixUnit {
 public:
  MatrixUnit(bool wanted, Depth depth) : wanted_(wanted) {
    if (!wanted) return;
    alignas(64) unsigned char shape[64] = {1};  // palette 1; bytes per row from 16 on, rows from 48 on
    for (int tile = 0; tile < 8; ++tile) {
      const bool queries = tile == 4 || tile == 5, items = tile > 5;
      shape[16 + 2 * tile] = static_cast<unsigned char>(queries ? 4 * depth.steps : 64);
      shape[48 + tile] = static_cast<unsigned char>(items ? depth.steps : 16);
    }
    __asm__ volatile("" : : "r"(shape) : "memory");  // the intrinsic tells the compiler of 8 of the 64 bytes only
    _tile_loadconfig(shape);
  }
  ~MatrixUnit() {
    if (wanted_) _tile_release();
  }
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;

 private:
  bool wanted_;
};

// sums (kQueries x kPanels tiles of 16 x 16 words) = queries x items; `queries` are tiles [tile of 16 queries][depth].
template <Scan kScan, int kQueries, int kPanels>
inline void multiply(const unsigned char* queries, const unsigned char* panels, i64 panel_size, i64 all, Depth depth,
                     unsigned char* sums) {
  __asm__ volatile("" : : : "memory");  // nor do the loads tell it that panels are read
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (i64 t = 0; t < depth.tiles; ++t) {
    const unsigned char* items = panels + depth.begin(t, all) * kStepBytes;
    _tile_loadd(4, queries + t * kTileBytes, 64);
    if constexpr (kQueries > 1) _tile_loadd(5, queries + (depth.tiles + t) * kTileBytes, 64);
    _tile_loadd(6, items, 64);
    if constexpr (kPanels > 1) _tile_loadd(7, items + panel_size, 64);
    if constexpr (kScan == Scan::kInt8) {
      _tile_dpbsud(0, 4, 6);
      if constexpr (kPanels > 1) _tile_dpbsud(1, 4, 7);
      if constexpr (kQueries > 1) _tile_dpbsud(2, 5, 6);
      if constexpr (kQueries > 1 && kPanels > 1) _tile_dpbsud(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (kPanels > 1) _tile_dpbf16ps(1, 4, 7);
      if constexpr (kQueries > 1) _tile_dpbf16ps(2, 5, 6);
      if constexpr (kQueries > 1 && kPanels > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  if constexpr (kPanels > 1) _tile_stored(1, sums + kTileBytes, 64);
  if constexpr (kQueries > 1) _tile_stored(2, sums + 2 * kTileBytes, 64);
  if constexpr (kQueries > 1 && kPanels > 1) _tile_stored(3, sums + 3 * kTileBytes, 64);
}

// C (16 kRows x 16 kColumns floats) = A B over `depth` tiles of 32: A is rows of bfloat16, B pairs of rows. The unit
// has full tiles, MatrixUnit(true, {1, 16}); strides are bytes.
template <int kRows, int kColumns>
inline void multiply_halves(const char* a, i64 a_row, const char* b, i64 b_row, i64 depth, char* c, i64 c_row) {
  __asm__ volatile("" : : : "memory");
  _tile_zero(0);
  if constexpr (kColumns > 1) _tile_zero(1);
  if constexpr (kRows > 1) _tile_zero(2);
  if constexpr (kRows > 1 && kColumns > 1) _tile_zero(3);
  for (i64 k = 0; k < depth; ++k) {
    _tile_loadd(4, a + 64 * k, a_row);
    if constexpr (kRows > 1) _tile_loadd(5, a + 16 * a_row + 64 * k, a_row);
    _tile_loadd(6, b + 16 * b_row * k, b_row);
    if constexpr (kColumns > 1) _tile_loadd(7, b + 16 * b_row * k + 64, b_row);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kRows > 1) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kRows > 1 && kColumns > 1) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_row);
  if constexpr (kColumns > 1) _tile_stored(1, c + 64, c_row);
  if constexpr (kRows > 1) _tile_stored(2, c + 16 * c_row, c_row);
  if constexpr (kRows > 1 && kColumns > 1) _tile_stored(3, c + 16 * c_row + 64, c_row);
}

#else
constexpr bool kMatrixUnit = false;

class MatrixUnit {
 public:
  MatrixUnit(bool, Depth) {}
};

template <Scan, int, int>
inline void multiply(const unsigned char*, const unsigned char*, i64, i64, Depth, unsigned char*) {}
template <int, int>
inline void multiply_halves(const char*, i64, const char*, i64, i64, char*, i64) {}
#endif

// C (rows, columns) = A B, all of them in whole tiles: rows and columns are multiples of 16, `depth` of 32.
inline void product_of_halves(i64 rows, i64 columns, i64 depth, const u16* a, i64 a_row, const float* b, i64 b_row,
                              float* c, i64 c_row) {
  const i64 tiles = depth / 32;
  for (i64 r = 0; r < rows; r += 32) {
    for (i64 n = 0; n < columns; n += 32) {
      const char* left = reinterpret_cast<const char*>(a + r * a_row);
      const char* right = reinterpret_cast<const char*>(b + n);
      char* to = reinterpret_cast<char*>(c + r * c_row + n);
      const bool two_rows = r + 16 < rows, two_columns = n + 16 < columns;
      if (two_rows && two_columns)
        multiply_halves<2, 2>(left, 2 * a_row, right, 4 * b_row, tiles, to, 4 * c_row);
      else if (two_rows)
        multiply_halves<2, 1>(left, 2 * a_row, right, 4 * b_row, tiles, to, 4 * c_row);
      else if (two_columns)
        multiply_halves<1, 2>(left, 2 * a_row, right, 4 * b_row, tiles, to, 4 * c_row);
      else
        multiply_halves<1, 1>(left, 2 * a_row, right, 4 * b_row, tiles, to, 4 * c_row);
    }
  }
}

}  // namespace
}  // namespace firth::FIRTH_LEVEL
