// Many searches side by side: each step of a binary search waits for memory and for the comparison before it, which
// others can fill.
#pragma once

#include "firth/array.h"

namespace firth::FIRTH_LEVEL {
namespace {

constexpr i64 kSearches = 64;

// Search i is for `wanted` among the rising values[at, at + left), left > 0, whose first is not above it unless it is
// not there at all. Afterwards `at` is where the last value stands that is not above it, or the first.
struct Searches {
  i64 size = 0;
  i64 at[kSearches + 1], left[kSearches + 1];
  u32 wanted[kSearches + 1];

  // Writes down the next search; it counts once `size` has grown.
  void set(i64 begin, i64 count, u32 value) {
    at[size] = begin;
    left[size] = count;
    wanted[size] = value;
  }

  void add(i64 begin, i64 count, u32 value) {
    set(begin, count, value);
    ++size;
  }

  void run(const u32* values) {
    i64 most = 0;
    for (i64 i = 0; i < size; ++i) most = left[i] > most ? left[i] : most;
    for (; most > 1; most -= most / 2)
      for (i64 i = 0; i < size; ++i) {
        const i64 half = left[i] / 2;
        at[i] += half & -static_cast<i64>(values[at[i] + half] <= wanted[i]);  // without a branch, hit or miss
        left[i] -= half;
      }
  }
};

}  // namespace
}  // namespace firth::FIRTH_LEVEL
