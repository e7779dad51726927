// Put before every file of a fuzzing build: what g++ has built in and clang 16 has not.
#pragma once

template <class Vector, class Mask>
static inline __attribute__((always_inline)) Vector __builtin_shuffle(Vector a, Mask mask) {
  constexpr int kLanes = sizeof(Vector) / sizeof(a[0]);
  Vector found;
  for (int i = 0; i < kLanes; ++i) found[i] = a[mask[i] & (kLanes - 1)];
  return found;
}

template <class Vector, class Mask>
static inline __attribute__((always_inline)) Vector __builtin_shuffle(Vector a, Vector b, Mask mask) {
  constexpr int kLanes = sizeof(Vector) / sizeof(a[0]);
  Vector found;
  for (int i = 0; i < kLanes; ++i) found[i] = mask[i] & kLanes ? b[mask[i] & (kLanes - 1)] : a[mask[i] & (kLanes - 1)];
  return found;
}
