// What threads of a warp do together.
#pragma once

#include "../launch.h"

namespace firth::cuda {
namespace {

constexpr int kWarp = 32;
constexpr u32 kWholeWarp = 0xffffffff;

__device__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

// The sum over this thread and those before it in its warp.
__device__ i64 sum_up_to(i64 value) {
  for (int step = 1; step < kWarp; step *= 2) {
    const i64 before = __shfl_up_sync(kWholeWarp, value, step);
    if (lane() >= step) value += before;
  }
  return value;
}

}  // namespace
}  // namespace firth::cuda
