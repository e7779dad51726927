// What threads of a warp do together.
#pragma once

#include "../launch.h"

namespace firth::cuda {
namespace {

constexpr int kWarp = 32;
constexpr u32 kWholeWarp = 0xffffffff;

__device__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

// The sum over this thread and those before it in its warp.
template <class T>
__device__ T sum_up_to(T value) {
  for (int step = 1; step < kWarp; step *= 2) {
    const T before = __shfl_up_sync(kWholeWarp, value, step);
    if (lane() >= step) value += before;
  }
  return value;
}

// The lowest thread that votes for something somebody does.
__device__ inline int first_of(unsigned votes) { return __ffs(static_cast<int>(votes)) - 1; }

}  // namespace
}  // namespace firth::cuda
