// What plain C++ cannot say, and tests/cpp/cuda says in its own way: memory that a launch gives to each block, reads
// past a cache that is not kept up to date, and additions of four numbers at once.
#pragma once

#include <nv/target>

#include "launch.h"

namespace firth::cuda {
namespace {

struct alignas(16) Four {
  float x[4];
};

__device__ float* block_memory() {
  extern __shared__ uint4 firth_block_memory[];
  return reinterpret_cast<float*>(firth_block_memory);
}

// Rows that other blocks add to are read from L2: L1 may hold them as they were.
__device__ float read_one(const float* from) { return __ldcg(from); }
__device__ Four read_four(const float* from) {
  const float4 read = __ldcg(reinterpret_cast<const float4*>(from));
  return {{read.x, read.y, read.z, read.w}};
}

__device__ void add_one(float* to, float x) { atomicAdd(to, x); }
__device__ void add_four(float* to, const Four& by) {
  NV_IF_ELSE_TARGET(NV_PROVIDES_SM_90,
                    (asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to), "f"(by.x[0]), "f"(by.x[1]),
                                  "f"(by.x[2]), "f"(by.x[3]) : "memory");),
                    (for (int i = 0; i < 4; ++i) atomicAdd(to + i, by.x[i]);))
}

// Lets a kernel have more than 48 KB a block, and says how many such blocks fit on a multiprocessor.
template <class... Parameters>
i64 blocks_each(void (*kernel)(Parameters...), int threads, i64 bytes) {
  int blocks = 0;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "shared memory of a block");
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, static_cast<std::size_t>(bytes)),
        "blocks of a multiprocessor");
  return blocks;
}

}  // namespace
}  // namespace firth::cuda
