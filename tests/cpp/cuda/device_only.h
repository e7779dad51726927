// cuda/device_only.h for the host: one block's memory, plain reads, additions one by one.
#pragma once

#include "cuda/launch.h"

namespace firth::cuda {
namespace {

struct alignas(16) Four {
  float x[4];
};

inline float* block_memory() { return static_cast<float*>(host_block_memory); }
inline float read_one(const float* from) {
  const u32 bits = __atomic_load_n(reinterpret_cast<const u32*>(from), __ATOMIC_RELAXED);
  float number;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}
inline Four read_four(const float* from) {
  if (reinterpret_cast<std::uintptr_t>(from) % 16 != 0) std::abort();
  return {{read_one(from), read_one(from + 1), read_one(from + 2), read_one(from + 3)}};
}

inline void add_one(float* to, float x) {
  u32* const bits = reinterpret_cast<u32*>(to);
  u32 seen = __atomic_load_n(bits, __ATOMIC_RELAXED), sum = 0;
  do {
    float now;
    std::memcpy(&now, &seen, sizeof now);
    now += x;
    std::memcpy(&sum, &now, sizeof now);
  } while (!__atomic_compare_exchange_n(bits, &seen, sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
inline void add_four(float* to, const Four& by) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0) std::abort();
  for (int i = 0; i < 4; ++i) add_one(to + i, by.x[i]);
}

template <class... Parameters>
i64 blocks_each(void (*)(Parameters...), int, i64) {
  return 1;
}

}  // namespace
}  // namespace firth::cuda
