// Just enough of CUDA's runtime to run a kernel's text on the host: one thread per CUDA thread of a block, blocks one
// after the other, __syncthreads and __syncwarp real barriers. A barrier left out is then a data race that
// ThreadSanitizer sees, and an index out of bounds one that AddressSanitizer sees. A vote of a warp waits for all of
// it, but orders no memory, as on a GPU. It says nothing of speed, memory spaces or nvcc.
#pragma once

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#define __device__
#define __host__
#define __global__
#define __grid_constant__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
  dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
  unsigned x, y, z;
};

inline thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
inline pthread_barrier_t host_barrier;
inline void __syncthreads() { pthread_barrier_wait(&host_barrier); }
inline int host_any;
inline int __syncthreads_or(int flag) {
  if (flag) __atomic_store_n(&host_any, 1, __ATOMIC_RELAXED);
  __syncthreads();
  const int any = __atomic_load_n(&host_any, __ATOMIC_RELAXED);
  __syncthreads();
  if (threadIdx.x == 0) __atomic_store_n(&host_any, 0, __ATOMIC_RELAXED);
  __syncthreads();
  return any;
}

constexpr unsigned kHostWarp = 32, kHostWarps = 32;
inline pthread_barrier_t host_warp_barriers[kHostWarps];
inline void __syncwarp() { pthread_barrier_wait(&host_warp_barriers[threadIdx.x / kHostWarp]); }

// A vote is one atomic word: who votes in the upper half is counted, with what in the lower half is kept. There are
// three, taken in turn; the first thread out of a vote clears the one before it.
inline std::uint64_t host_votes[kHostWarps][3];
inline thread_local unsigned host_vote, host_shuffle;
inline unsigned __ballot_sync(unsigned, int flag) {
  std::uint64_t* votes = host_votes[threadIdx.x / kHostWarp];
  const unsigned lane = threadIdx.x % kHostWarp, now = host_vote++ % 3;
  const std::uint64_t mine = std::uint64_t{1} << 32 | std::uint64_t{flag != 0} << lane;
  std::uint64_t seen = __atomic_add_fetch(votes + now, mine, __ATOMIC_RELAXED);
  // Asleep rather than in a queue of hundreds of threads that yield to each other; the last one wakes the others.
  std::uint32_t* const count = reinterpret_cast<std::uint32_t*>(votes + now) + 1;
  if (seen >> 32 == kHostWarp) syscall(SYS_futex, count, FUTEX_WAKE_PRIVATE, kHostWarp, nullptr, nullptr, 0);
  for (; seen >> 32 != kHostWarp; seen = __atomic_load_n(votes + now, __ATOMIC_RELAXED))
    syscall(SYS_futex, count, FUTEX_WAIT_PRIVATE, static_cast<std::uint32_t>(seen >> 32), nullptr, nullptr, 0);
  if (lane == 0) __atomic_store_n(votes + (now + 2) % 3, 0, __ATOMIC_RELAXED);
  return static_cast<unsigned>(seen);
}

// A shuffle is a vote behind a value; of the two places that each thread has, one may still be read. It orders no
// memory.
inline long long host_values[kHostWarps][2][kHostWarp];
template <class T>
T __shfl_sync(unsigned, T value, int from) {
  const unsigned warp = threadIdx.x / kHostWarp, place = host_shuffle++ % 2;
  static_assert(sizeof(T) <= sizeof(long long));
  long long bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  __atomic_store_n(&host_values[warp][place][threadIdx.x % kHostWarp], bits, __ATOMIC_RELAXED);
  __ballot_sync(0, 0);
  bits = __atomic_load_n(&host_values[warp][place][from], __ATOMIC_RELAXED);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned by) {
  const unsigned lane = threadIdx.x % kHostWarp;
  return __shfl_sync(0, value, static_cast<int>(lane < by ? lane : lane - by));
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return __shfl_sync(0, value, static_cast<int>(threadIdx.x % kHostWarp) ^ mask);
}

inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int __dp4a(int a, int b, int sum) {
  for (int i = 0; i < 32; i += 8) sum += static_cast<signed char>(a >> i) * static_cast<signed char>(b >> i);
  return sum;
}

inline void atomicMin(long long* to, long long value) {
  long long seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(to, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}
inline void atomicMax(unsigned long long* to, unsigned long long value) {
  unsigned long long seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value > seen && !__atomic_compare_exchange_n(to, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}
inline void atomicMin(unsigned long long* to, unsigned long long value) {
  unsigned long long seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(to, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}
inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long value) {
  return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

inline unsigned atomicAdd(unsigned* to, unsigned value) { return __atomic_fetch_add(to, value, __ATOMIC_RELAXED); }
inline unsigned atomicOr(unsigned* to, unsigned value) { return __atomic_fetch_or(to, value, __ATOMIC_RELAXED); }

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess };
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount,
  cudaDevAttrMaxSharedMemoryPerBlockOptin,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor
};
inline int host_shared_bytes = 160 << 10;  // that a block can be given, and a multiprocessor has; a test may change it
inline const char* cudaGetErrorName(cudaError_t) { return ""; }
inline const char* cudaGetErrorString(cudaError_t) { return ""; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  return *value = what == cudaDevAttrMultiProcessorCount ? 2 : host_shared_bytes, cudaSuccess;
}

// Fresh memory is filled with NaN bytes, so that a value that was never written is noticed.
inline cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t) {
  *data = std::malloc(bytes ? bytes : 1);
  std::memset(*data, 0xff, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t) { return std::free(data), cudaSuccess; }

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
inline cudaError_t cudaMemsetAsync(void* to, int byte, std::size_t bytes, cudaStream_t) {
  if (bytes) std::memset(to, byte, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  if (bytes) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
};
inline void* host_block_memory;  // blocks run one after the other, so there is one

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* how, void (*kernel)(Parameters...), Arguments... arguments) {
  const unsigned size = how->blockDim.x, warps = (size + kHostWarp - 1) / kHostWarp;
  pthread_barrier_init(&host_barrier, nullptr, size);
  for (unsigned w = 0; w < warps; ++w) {
    pthread_barrier_init(&host_warp_barriers[w], nullptr, size < kHostWarp ? size : kHostWarp);
    for (std::uint64_t& vote : host_votes[w]) vote = 0;
  }
  host_block_memory = std::aligned_alloc(64, (how->dynamicSmemBytes + 64) / 64 * 64);
  std::memset(host_block_memory, 0xff, how->dynamicSmemBytes);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < size; ++t)
    threads.emplace_back([&, t] {
      threadIdx.x = t;
      threadIdx.y = threadIdx.z = 0;
      blockDim = how->blockDim;
      gridDim = how->gridDim;
      for (unsigned y = 0; y < gridDim.y; ++y)
        for (unsigned x = 0; x < gridDim.x; ++x) {
          blockIdx = dim3(x, y, 0);
          kernel(arguments...);
          __syncthreads();
        }
    });
  for (std::thread& thread : threads) thread.join();
  std::free(host_block_memory);
  pthread_barrier_destroy(&host_barrier);
  for (unsigned w = 0; w < warps; ++w) pthread_barrier_destroy(&host_warp_barriers[w]);
  return cudaSuccess;
}
