// Just enough of CUDA's runtime to run a kernel's text on the host: one thread per CUDA thread of a block, blocks one
// after the other, __syncthreads a real barrier. A barrier left out is then a data race that ThreadSanitizer sees, and
// an index out of bounds one that AddressSanitizer sees. It says nothing of speed, warps, memory spaces or nvcc.
#pragma once

#include <pthread.h>

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
#define __shared__ static
#define __launch_bounds__(threads)

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

inline void atomicMin(long long* to, long long value) {
  long long seen = __atomic_load_n(to, __ATOMIC_RELAXED);
  while (value < seen && !__atomic_compare_exchange_n(to, &seen, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

using cudaStream_t = void*;
enum cudaError_t { cudaSuccess };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount };
inline const char* cudaGetErrorName(cudaError_t) { return ""; }
inline const char* cudaGetErrorString(cudaError_t) { return ""; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { return *value = 2, cudaSuccess; }

// Fresh memory is filled with NaN bytes, so that a value that was never written is noticed.
inline cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t) {
  *data = std::malloc(bytes ? bytes : 1);
  std::memset(*data, 0xff, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t) { return std::free(data), cudaSuccess; }

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  cudaStream_t stream;
};

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* how, void (*kernel)(Parameters...), Arguments... arguments) {
  pthread_barrier_init(&host_barrier, nullptr, how->blockDim.x);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < how->blockDim.x; ++t)
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
  pthread_barrier_destroy(&host_barrier);
  return cudaSuccess;
}
